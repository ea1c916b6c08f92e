import { expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, schedulerOf } from '../../../test/support/scheduling.ts';
import { sjf } from './sjf.ts';

it('sjf releases the least work first within each priority, until waiting ages those of more', () => {
  const output = (p50: number) => ({ p50, p90: 2 * p50 });
  const queue = [
    queuedRequest({ id: 'long-answer', inputTokens: 10, predictedOutput: output(200) }),
    queuedRequest({ id: 'long-prompt', inputTokens: 2000, predictedOutput: output(10) }),
    queuedRequest({ id: 'short', inputTokens: 100, predictedOutput: output(10), explain: true }),
    queuedRequest({ id: 'urgent', inputTokens: 5000, predictedOutput: output(500), priority: 1 }),
    queuedRequest({ id: 'aged', inputTokens: 9000, predictedOutput: output(500), queue: { maxWaitMs: 1 } }),
  ];
  const released = releaseAll(schedulerOf(sjf, queue), [replicaView({ id: 'a', maxInFlight: 9 })], 100);
  expect(released.map((a) => a.request.id)).toEqual(['aged', 'urgent', 'short', 'long-prompt', 'long-answer']);
  expect(released[2]?.explanation?.because).toBe('priority 0, 100 tokens in, 10 out');
});
