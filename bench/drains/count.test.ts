import { describe, expect, it } from 'vitest';
import type { DrainReceipt } from '../../core/domain/drain.ts';
import type { RequestRecord } from '../../test/chaos/outcomes.ts';
import { countDrain } from './count.ts';

const receipt = (requestsFinished: number, requestsDropped = 0): DrainReceipt => ({
  ...{ host: 'h1', planId: 'p', seconds: 9, requestsFinished, requestsDropped, requestsRetried: 0, requestsUnknown: 0, gatewaysLost: 0 },
  moved: [{ replicaId: 'r1', replacedBy: 'n1', toHost: 'h2', seconds: 8, requestsFinished, requestsDropped, engineStopped: true }],
});
const ended = (replicaId: string, endedAtMs: number, how: 'completed' | 'stuck' = 'completed') =>
  ({ replicaId, endedAtMs, end: { how } }) as RequestRecord;
const unrouted = new Map([['r1', 1000]]);

describe('countDrain', () => {
  it('counts what ended on the replicas that left, after they were unrouted', () => {
    const records = [ended('r1', 900), ended('r1', 5000), ended('r1', 6000), ended('n1', 5000)];
    expect(countDrain(receipt(2), records, unrouted)).toMatchObject({ counted: { finished: 2, dropped: 0 }, edge: 0, equal: true });
    expect(countDrain(receipt(3), records, unrouted).equal).toBe(false);
    expect(countDrain(receipt(1), records, unrouted).equal).toBe(false);
  });

  it('leaves to the gateways what ended while they were being told', () => {
    const records = [ended('r1', 1100), ended('r1', 5000)];
    for (const figure of [1, 2]) expect(countDrain(receipt(figure), records, unrouted)).toMatchObject({ edge: 1, equal: true });
    expect(countDrain(receipt(0), records, unrouted).equal).toBe(false);
  });

  it('holds the dropped ones against the receipt', () => {
    const records = [ended('r1', 5000, 'stuck')];
    expect(countDrain(receipt(0, 1), records, unrouted)).toMatchObject({ counted: { finished: 0, dropped: 1 }, equal: true });
    expect(countDrain(receipt(0, 0), records, unrouted).equal).toBe(false);
  });
});
