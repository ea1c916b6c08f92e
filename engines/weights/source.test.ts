import { describe, expect, it } from 'vitest';
import { modelSchema } from '../../core/domain/model-spec.ts';
import { localModelPath, parseSource } from './source.ts';

describe('sources of weights', () => {
  it.each([
    ['hf://meta-llama/Llama-3.1-8B', { kind: 'hub', repository: 'meta-llama/Llama-3.1-8B', revision: null }],
    ['hf://acme/tiny@refs/pr/1', { kind: 'hub', repository: 'acme/tiny', revision: 'refs/pr/1' }],
    ['file:///share/my%20model', { kind: 'folder', path: '/share/my model' }],
  ])('%s is taken apart', (source, parsed) => {
    expect(modelSchema.safeParse({ name: 'm', source }).success).toBe(true);
    expect(parseSource(source)).toEqual(parsed);
  });

  it.each(['hf://acme', 'hf://acme/tiny@', 'hf://acme/tiny@a b', 'https://acme/tiny'])('%s is none', (source) => {
    expect(modelSchema.safeParse({ name: 'm', source }).success).toBe(false);
  });

  it('are a folder for an engine where the host has one', () => {
    expect(localModelPath({ source: 'hf://acme/tiny', weightsPath: '/cache/tiny' })).toBe('/cache/tiny');
    expect(localModelPath({ source: 'file:///share/tiny', weightsPath: '/cache/tiny' })).toBe('/cache/tiny');
    expect(localModelPath({ source: 'file:///share/tiny' })).toBe('/share/tiny');
    expect(localModelPath({ source: 'hf://acme/tiny' })).toBeNull();
  });
});
