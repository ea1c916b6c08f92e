import { describe, expect, it } from 'vitest';
import { type Applied, judge, type RequestRecord } from './outcomes.ts';

const request = (parts: Partial<RequestRecord>): RequestRecord => ({
  startedAtMs: 100_000,
  endedAtMs: 105_000,
  gateway: 'gateway-1',
  deployment: 'a',
  replicaId: 'a-1',
  tokens: 10,
  end: { how: 'completed' },
  ...parts,
});
const failed = { how: 'error', code: 'engine_failed', message: 'the engine did not answer' } as const;
const fault = (parts: Partial<Applied>): Applied => ({
  kind: 'kill-engine',
  target: 'a-1',
  atMs: 104_000,
  untilMs: 104_000,
  replicaIds: ['a-1'],
  ...parts,
});
const gatewayKilled = fault({ kind: 'kill-gateway', target: 'gateway-1', replicaIds: [], untilMs: 106_000 });

describe('judge', () => {
  it('takes what completed for completed', () => {
    expect(judge(request({}), [])).toEqual({ verdict: 'completed' });
  });

  it('explains an error in the stream by the engine that was killed, and by no other', () => {
    expect(judge(request({ end: failed }), [fault({})])).toEqual({ verdict: 'clear-error', because: 'kill-engine' });
    for (const other of [
      fault({ replicaIds: ['a-2'], target: 'a-2' }),
      fault({ atMs: 50_000, untilMs: 50_000 }),
      fault({ kind: 'kill-postgres', target: 'postgres' }),
    ])
      expect(judge(request({ end: failed }), [other]).verdict).toBe('lost');
  });

  it('wants a request without a token tried elsewhere, as often as a gateway tries', () => {
    const before = request({ end: failed, tokens: 0 });
    expect(judge(before, [fault({})])).toMatchObject({ verdict: 'lost', because: expect.stringContaining('not tried elsewhere') });
    expect(judge(before, [fault({ kind: 'cut-host', replicaIds: ['a-1', 'a-2', 'b-1'] })]).verdict).toBe('clear-error');
  });

  it('lets a connection break only with its own gateway', () => {
    const broken = request({ end: { how: 'broken', detail: 'socket hang up' } });
    expect(judge(broken, [gatewayKilled])).toEqual({ verdict: 'gateway-killed' });
    expect(judge(broken, [{ ...gatewayKilled, target: 'gateway-2' }]).verdict).toBe('lost');
    expect(judge(broken, [fault({})]).verdict).toBe('lost');
  });

  it('lets a gateway be deaf only while it is down', () => {
    const refused = request({ end: { how: 'refused' } });
    expect(judge(refused, [gatewayKilled]).verdict).toBe('not-accepted');
    expect(judge(refused, []).verdict).toBe('lost');
  });

  it('takes a shortage for one only after engines were taken away', () => {
    const none = request({ tokens: 0, end: { how: 'error', code: 'no_replica', message: 'no replica is serving' } });
    expect(judge(none, [fault({ atMs: 60_000, untilMs: 60_000 })])).toEqual({ verdict: 'clear-error', because: 'no_replica' });
    expect(judge(none, [gatewayKilled])).toEqual({ verdict: 'not-accepted', because: 'the gateway was starting' });
    const starting = request({ tokens: 0, end: { how: 'error', code: 'starting', message: '' } });
    expect(judge(starting, [gatewayKilled])).toEqual({ verdict: 'not-accepted', because: 'the gateway was starting' });
    expect(judge(starting, []).verdict).toBe('lost');
    expect(judge(none, [fault({ kind: 'kill-temporal', target: 'temporal' })]).verdict).toBe('lost');
  });

  it('takes what stopped coming, and any other error, for lost', () => {
    expect(judge(request({ end: { how: 'stuck' } }), [fault({})]).verdict).toBe('lost');
    expect(judge(request({ end: { how: 'error', code: 'internal_error', message: '' } }), [fault({})]).verdict).toBe('lost');
  });
});
