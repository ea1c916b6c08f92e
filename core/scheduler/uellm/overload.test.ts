import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../../test/support/scheduling.ts';
import { Costs } from './cost.ts';
import { LengthFairness, lengthBucket, TenantUse } from './fairness.ts';
import { UELLM_DEFAULTS } from './options.ts';
import { Overload } from './overload.ts';
import { Waiting } from './waiting.ts';

interface Asked {
  inputTokens: number;
  dueMs: number;
  priority?: number;
  tenant?: string;
}

const replica = replicaView({ id: 'a' });
/** Typical requests that one replica gets through in a second, by the model. */
function perSecond(): number {
  return 1000 * typical().throughput([replica]);
}
function typical(): Costs {
  const costs = new Costs();
  for (let i = 0; i < 1000; i++) costs.observe(queuedRequest({ id: 'r', inputTokens: 1000, predictedOutput: { p50: 100, p90: 200 } }));
  return costs;
}
/** Who is given up of those, after some have waited for a second. */
function givenUp(asked: readonly Asked[], { lengths = new LengthFairness(0), tenants = new TenantUse() } = {}): number[] {
  const overload = new Overload(UELLM_DEFAULTS, typical(), lengths, tenants);
  const waiting = new Waiting();
  const requests = asked.map(({ inputTokens, priority = 0, tenant = 'default' }, i) =>
    queuedRequest({ id: String(i), inputTokens, priority, tenant, predictedOutput: { p50: 100, p90: 200 } }),
  );
  for (const [i, { dueMs, inputTokens }] of asked.entries()) {
    waiting.add({ request: requests[i]!, dueMs, startByMs: dueMs, lengthBucket: lengthBucket(inputTokens), cost: 0, weight: 0 });
  }
  overload.tick(true, 1);
  overload.tick(true, 1000);
  const gone: number[] = [];
  // A few at a time, so that no decision takes long: until a look gives up nobody.
  for (let nowMs = 1000, before = -1; gone.length > before; nowMs += 5) {
    before = gone.length;
    overload.relieve(waiting, [replica], nowMs, (item) => {
      gone.push(requests.indexOf(item.request as never));
      waiting.demote(item);
    });
  }
  return gone.sort((a, b) => a - b);
}
const alike = (count: number, afterSeconds: number, parts: Partial<Asked> = {}): Asked[] =>
  Array.from({ length: count }, () => ({ inputTokens: 1000, dueMs: 1000 + 1000 * afterSeconds, ...parts }));

describe('who is given up', () => {
  it('is nobody while all can make it', () => {
    expect(givenUp(alike(Math.floor(0.8 * perSecond()), 1))).toEqual([]);
  });
  it('is as many as are too many', () => {
    const gone = givenUp(alike(Math.round(perSecond() + 5), 1));
    expect(gone.length).toBeGreaterThanOrEqual(5);
    expect(gone.length).toBeLessThan(5 + 0.15 * perSecond());
  });
  it('is the one that costs the most, whenever it is due before the first that would be late: the fewest are late then', () => {
    const others = alike(Math.floor(0.8 * perSecond()), 1);
    const long = { inputTokens: 30_000, dueMs: 1500 };
    expect(givenUp([long, ...others])).toEqual([0]);
    expect(givenUp([...others, { ...long, dueMs: 1999 }])).toEqual([others.length]);
  });
  it('is not the costly one that is due so late that it makes nobody late', () => {
    expect(givenUp([...alike(Math.floor(0.5 * perSecond()), 1), { inputTokens: 10_000, dueMs: 60_000 }])).toEqual([]);
  });
  it('is somebody behind those that are spared, where they are late whatever happens', () => {
    const lengths = new LengthFairness(0.6);
    for (let i = 0; i < 20; i++) lengths.count(lengthBucket(30_000), false);
    for (let i = 0; i < 100; i++) lengths.count(lengthBucket(1000), true);
    const gone = givenUp([{ inputTokens: 30_000, dueMs: 1001 }, ...alike(Math.round(perSecond() + 20), 1)], { lengths });
    expect(gone.length).toBeGreaterThan(0);
    expect(gone).not.toContain(0);
  });
  it('is of two alike the one of lower priority', () => {
    const many = Math.round(perSecond() / 2) + 3;
    const gone = givenUp([...alike(many, 1, { priority: 100 }), ...alike(many, 1)]);
    expect(gone.length).toBeGreaterThan(0);
    expect(gone.every((i) => i >= many)).toBe(true);
  });
  it('is of two alike the one whose tenant has had more', () => {
    const tenants = new TenantUse();
    for (let i = 0; i < 100; i++) tenants.count(queuedRequest({ id: 'r', tenant: 'much' }), 1, 900);
    tenants.count(queuedRequest({ id: 'r', tenant: 'little' }), 1, 900);
    const many = Math.round(perSecond() / 2) + 3;
    const gone = givenUp([...alike(many, 1, { tenant: 'much' }), ...alike(many, 1, { tenant: 'little' })], { tenants });
    expect(gone.length).toBeGreaterThan(0);
    expect(gone.every((i) => i < many)).toBe(true);
  });
  it('is another where lengths like the costliest have had their part', () => {
    const lengths = new LengthFairness(0.6);
    for (let i = 0; i < 200; i++) {
      lengths.count(lengthBucket(1000), true);
      lengths.count(lengthBucket(30_000), false);
    }
    const others = alike(Math.floor(0.8 * perSecond()), 1);
    const gone = givenUp([...others, { inputTokens: 30_000, dueMs: 2000 }], { lengths });
    expect(gone).not.toContain(others.length);
    expect(gone.length).toBeGreaterThan(0);
  });
});
