import { expect, it } from 'vitest';
import { replicaMemory } from './replica-memory.ts';

const shape = { weightsBytes: 160, kvBytesPerToken: 2, kvHeads: 2 };

it.each([
  [1, 100, 500, { weightsBytes: 160, kvCacheBytes: 200 }],
  [2, 100, 500, { weightsBytes: 80, kvCacheBytes: 100 }],
  // Beyond its KV heads each accelerator holds a copy.
  [4, 100, 500, { weightsBytes: 40, kvCacheBytes: 100 }],
  [1, null, 500, { weightsBytes: 160, kvCacheBytes: null }],
  // More tokens than there are bytes for: smaller values.
  [1, 1000, 500, { weightsBytes: 160, kvCacheBytes: 340 }],
  [1, 100, 100, { weightsBytes: 100, kvCacheBytes: 0 }],
])('on %i accelerators with %s tokens of %i bytes is %j', (accelerators, tokens, memoryBytes, expected) => {
  expect(replicaMemory(shape, accelerators, tokens, { memoryBytes })).toEqual(expected);
});
