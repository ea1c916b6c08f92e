import { describe, expect, it } from 'vitest';
import { type Deployed, deployed, fleetOf, TestFleet } from '../../../test/support/placement.ts';
import { type DiagnosisInput, diagnose } from './diagnose.ts';
import { STEP_TERMS } from './step-terms.ts';
import type { ChangeKind, ObservedReplica } from './types.ts';

const SLO = { ttftMs: 4000, tpotMs: 60, attainment: 0.9 };
const LOOSE = { ttftMs: 30_000, tpotMs: 200, attainment: 0.9 };

interface Given extends Partial<Deployed> {
  host: string;
  replica?: Partial<ObservedReplica>;
  count?: number;
}

/** One deployment on one host, with so many replicas that all see the same: their share of the demand. */
function inputOf({ host, replica = {}, count = 1, ...rest }: Given): DiagnosisInput & { replicas: ObservedReplica[] } {
  const [state] = fleetOf(host);
  const deployment = deployed({ name: 'd', model: 'llama-3.1-8b', targets: SLO, ...rest });
  const demand = { ...deployment.demand, requestsPerSecond: deployment.demand.requestsPerSecond / count };
  const replicas = Array.from(
    { length: count },
    (_, i): ObservedReplica => ({
      ...{ replicaId: `r${count - i}`, deployment: 'd', model: deployment.spec.model, host: state!.name },
      ...{ acceleratorKind: state!.accelerators[0]!, tensorParallel: 1, simulated: true, stepTime: null, kvCacheTokens: null },
      ...{ admissionLimit: 256, observedSeconds: 300, demand, inEngine: 10, decoding: 9, judged: 100, attained: 95 },
      ...{ inFlight: 10, waiting: 0, kvUsage: null, preemptions: 0, ...replica },
    }),
  );
  return { fleet: new TestFleet([state!], [deployment]).input('rebalance'), replicas };
}
const one = (given: Given) => diagnose(inputOf(given)).replicas[0]!;
const long = { requestsPerSecond: 3, inputTokens: 6000, outputTokens: 30 };
const wordy = { requestsPerSecond: 3, inputTokens: 100, outputTokens: 1500 };
const deep = { requestsPerSecond: 0.4, inputTokens: 8000, outputTokens: 1000 };
const chat = { requestsPerSecond: 2, inputTokens: 1000, outputTokens: 200 };

describe('what binds', () => {
  it.each<[string, Given, string, RegExp]>([
    [
      'long prompts',
      { host: 'h: 1 H100-SXM', demand: long, replica: { inEngine: 3, decoding: 1 } },
      'compute',
      /prompts of 6000 tokens at 3.0 req/,
    ],
    [
      'long outputs',
      { host: 'h: 1 H100-SXM', demand: wordy, replica: { inEngine: 40, decoding: 39 } },
      'bandwidth',
      /reading, weights \d+ % and KV cache \d+ %; .* at batch 39$/,
    ],
    [
      'long contexts',
      { host: 'h: 1 L40S', demand: deep, targets: LOOSE, replica: { inEngine: 21, decoding: 20 } },
      'kv-cache',
      /^KV cache \d+ % full; 10 of 256/,
    ],
    ['TP4 over PCIe', { host: 'h: 4 L40S', demand: chat, replica: { tensorParallel: 4 } }, 'link', /all-reduces of 4 L40S/],
    ['a small model over many', { host: 'h: 4 H100-SXM', demand: chat, replica: { tensorParallel: 4 } }, 'host', /launching kernels/],
    ['TP4 over NVLink', { host: 'h: 4 H100-SXM', model: 'llama-3.1-70b', replica: { tensorParallel: 4 } }, 'bandwidth', /weights/],
    ['a cache that evicts', { host: 'h: 1 H100-SXM', replica: { kvUsage: 0.85, preemptions: 3 } }, 'kv-cache', /3 evicted/],
    ['a low limit', { host: 'h: 1 H100-SXM', replica: { admissionLimit: 10 } }, 'queue', /^10 of 10 requests admitted, and room/],
    [
      'a low limit, steps too slow',
      { host: 'h: 1 L40S', targets: { tpotMs: 10, attainment: 0.9 }, replica: { admissionLimit: 10 } },
      'bandwidth',
      /./,
    ],
    ['few requests', { host: 'h: 1 H100-SXM', replica: { inEngine: 0.05, decoding: 0.04 } }, 'idle', /^busy 5 % of the time$/],
    ['none', { host: 'h: 1 H100-SXM', replica: { inEngine: 0, decoding: 0, inFlight: 0, demand: null } }, 'idle', /^nothing came$/],
  ])('%s', (_, given, binds, why) => {
    const found = one(given);
    expect([found.binds, found.why]).toEqual([binds, expect.stringMatching(why)]);
    expect(STEP_TERMS.reduce((sum, term) => sum + found.stepShares[term], 0)).toBeCloseTo(1, 9);
    for (const share of Object.values(found.utilisation)) expect(share).toBeLessThanOrEqual(1);
  });
});

describe('the limit', () => {
  it.each<[string, Given, string]>([
    ['long prompts', { host: 'h: 1 H100-SXM', demand: long }, 'compute'],
    ['long outputs', { host: 'h: 1 H100-SXM', demand: wordy }, 'bandwidth'],
    ['little cache beside the weights', { host: 'h: 1 H100-SXM', model: 'qwen3-32b', demand: chat, targets: LOOSE }, 'kv-cache'],
    ['TP4 over PCIe', { host: 'h: 4 L40S', model: 'llama-3.1-70b', demand: chat, targets: LOOSE, replica: { tensorParallel: 4 } }, 'link'],
  ])('of %s is that of which twice would help the most', (_, given, binds) => {
    const { limit } = one(given);
    expect(limit).toMatchObject({ binds, meetsSlo: true });
    const factors = Object.values(limit.withTwice);
    expect(limit.withTwice[binds as 'link']).toBe(Math.max(...factors.map(Number)));
    expect(limit.withTwice[binds as 'link']).toBeGreaterThan(1.3);
  });

  it('is the admission limit where that comes first', () => {
    const given = { host: 'h: 1 H100-SXM', demand: wordy };
    const { limit } = one({ ...given, replica: { admissionLimit: 10 } });
    expect(limit.binds).toBe('queue');
    expect(limit.requestsPerSecond).toBeLessThan(one(given).limit.requestsPerSecond / 4);
  });

  it('says what would let it attain targets that are out of reach', () => {
    const { limit } = one({ host: 'h: 1 L40S', demand: wordy, targets: { tpotMs: 15, attainment: 0.9 } });
    expect(limit).toMatchObject({ meetsSlo: false, binds: 'bandwidth', withTwice: { bandwidth: null, link: 1 } });
  });

  it("is that of the replica's own step time and cache, where they are known", () => {
    const given = { host: 'h: 1 L40S', demand: chat };
    const slow = { d0: 50, d1: 0.1, d2: 2e-4, ra: 0.1, rc: 0.05, rb: 4e-6, o: 2 };
    const [prior, own] = [one(given), one({ ...given, replica: { stepTime: slow, kvCacheTokens: 9000 } })];
    expect([prior.stepTimeSource, own.stepTimeSource]).toEqual(['measured', 'calibrated']);
    expect(own.limit.requestsPerSecond).toBeLessThan(prior.limit.requestsPerSecond / 2);
    expect(own.decodeStepMs).toBeGreaterThan(50);
  });
});

describe('advice', () => {
  const adviceOn = (given: Given, change = (input: DiagnosisInput) => input) => diagnose(change(inputOf(given))).advice[0]!;
  const option = (given: Given, change: ChangeKind) => adviceOn(given).options.find((o) => o.change === change)!;
  const overPcie: Given = { host: 'h: 8 L40S', demand: chat, replica: { tensorParallel: 4 } };

  it('tells that more accelerators over PCIe serve less, and fewer more', () => {
    const { now } = adviceOn(overPcie);
    const [wide, narrow] = [option(overPcie, 'widen'), option(overPcie, 'narrow')];
    expect(wide).toMatchObject({ verdict: 'loses', tensorParallel: 8, accelerators: 4 });
    expect(wide.message).toMatch(/^more accelerators serve less: 0\.\d+ req\/s instead of \d\.\d req\/s.*, for 6\.20 USD\/h more$/);
    expect(wide.outcome!.requestsPerSecond).toBeLessThan(now.requestsPerSecond / 2);
    expect(narrow).toMatchObject({ verdict: 'saves', tensorParallel: 2, accelerators: -2 });
    expect(narrow.message).toMatch(/^fewer accelerators serve more: .* TPOT \d+ ms instead of \d+ ms, and saves 3\.10 USD\/h$/);
    expect(narrow.outcome!.tpotMs).toBeLessThan(now.tpotMs!);
  });

  it('tells that targets would no longer be attained', () => {
    const wide = option({ ...overPcie, targets: { ttftMs: 1000, attainment: 0.9 } }, 'widen');
    expect(wide).toMatchObject({ verdict: 'loses', outcome: { meetsSlo: false } });
    expect(wide.message).toBe('no longer attains TTFT 1000 ms for 90 %, for 6.20 USD/h more');
  });

  it('finds that more over NVLink serve more, if less than another replica', () => {
    const given: Given = { host: 'h: 2 H100-SXM', demand: chat };
    const [wide, more] = [option(given, 'widen'), option(given, 'add-replica')];
    expect([wide.verdict, more.verdict]).toEqual(['gains', 'gains']);
    expect(wide.outcome!.tpotMs).toBeLessThan(more.outcome!.tpotMs!);
    expect(wide.outcome!.requestsPerSecond).toBeLessThan(more.outcome!.requestsPerSecond);
    expect(wide.outcome!.usdPerHour).toBe(more.outcome!.usdPerHour);
  });

  it('saves a replica only where the rest hold what comes', () => {
    const given: Given = { host: 'h: 4 L40S', demand: chat, count: 3 };
    const { requestsPerSecond: all } = adviceOn(given).now;
    const busy = { ...given, demand: { ...chat, requestsPerSecond: all * 0.8 } };
    expect(option(given, 'remove-replica')).toMatchObject({ verdict: 'saves', outcome: { usdPerHour: expect.closeTo(3.1, 9) } });
    expect(option(busy, 'remove-replica')).toMatchObject({
      verdict: 'short',
      message: expect.stringContaining('that are asked for, and saves 1.55'),
    });
    expect(option({ ...given, count: 1 }, 'remove-replica')).toMatchObject({ verdict: 'impossible', outcome: null });
  });

  it('offers no more accelerators than the host has, and says what does not fit', () => {
    const given: Given = { host: 'h: 4 L40S', model: 'llama-3.1-70b', targets: LOOSE, demand: chat, replica: { tensorParallel: 4 } };
    expect(adviceOn(given).options.map((o) => [o.change, o.verdict])).toEqual([
      ['add-replica', 'gains'],
      ['remove-replica', 'impossible'],
      ['narrow', 'impossible'],
    ]);
    expect(option(given, 'narrow').message).toBe("does not fit the accelerators' memory");
  });

  it('knows no money where a kind has no price', () => {
    const unpriced = (input: DiagnosisInput) => ({ ...input, fleet: { ...input.fleet, prices: { byKind: {}, byHost: {} } } });
    const { now, options } = adviceOn(overPcie, unpriced);
    expect([now.usdPerHour, options[0]!.outcome!.usdPerHour]).toEqual([null, null]);
    expect(options[0]!.message).not.toContain('USD');
  });

  it('is for what is planned where nothing came', () => {
    const idle = { demand: null, inEngine: 0, decoding: 0, inFlight: 0 };
    expect(adviceOn({ host: 'h: 1 L40S', demand: chat, replica: idle })).toMatchObject({ observed: false, demand: chat });
    expect(adviceOn({ host: 'h: 1 L40S', demand: chat }).demand).toEqual(chat);
  });
});

it('leaves out other deployments, and names replicas of which too little is known', () => {
  const input = inputOf({ host: 'h: 4 L40S', count: 3 });
  const [a, b, c] = input.replicas as [ObservedReplica, ObservedReplica, ObservedReplica];
  const replicas = [a, { ...b, host: 'gone' }, { ...c, deployment: 'other' }];
  const all = diagnose({ ...input, replicas });
  expect(all.replicas.map((r) => r.replicaId)).toEqual(['r3']);
  expect(all.unknown).toEqual([
    { replicaId: 'r2', deployment: 'd', reason: 'host gone is not known' },
    { replicaId: 'r1', deployment: 'other', reason: 'other serves no revision yet' },
  ]);
  expect(diagnose({ ...input, replicas, deployment: 'other' })).toMatchObject({ replicas: [], advice: [], unknown: [{ replicaId: 'r1' }] });
});
