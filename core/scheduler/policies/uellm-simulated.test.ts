/** What `uellm` does over thousands of requests, on simulated engines: seeded, so that it is the same every time. */
import { describe, expect, it } from 'vitest';
import { replicaSpec, simulatedRequest, simulateRequests } from '../../../test/support/simulating.ts';
import { createPredictor } from '../../simulator/predictors.ts';
import { createRandom } from '../../simulator/random.ts';
import type { ReplicaSpec } from '../../simulator/simulated-replica.ts';
import type { SimulatedRequest } from '../../simulator/simulated-request.ts';
import { summarise } from '../../simulator/summarise.ts';
import { chatWorkload } from '../../simulator/workload.ts';
import type { SchedulerPolicy } from '../types.ts';
import { leastInFlight } from './least-in-flight.ts';
import { createUellm, uellm } from './uellm.ts';

const TARGETS = { ttftMs: 600, tpotMs: 40 };
/** Chat requests a second that two of the engines serve within those targets. */
const CAPACITY = 52;

type Changes = (index: number) => Partial<Parameters<typeof simulatedRequest>[0]> & { tenant?: string; tenantWeight?: number };

/** Chat lengths, arriving at random at rates that last so long each. */
function chat(phases: readonly { perSecond: number; seconds: number }[], seed: string, changes: Changes = () => ({})): SimulatedRequest[] {
  const lengths = chatWorkload({ seed });
  const random = createRandom(seed);
  const requests: SimulatedRequest[] = [];
  let fromMs = 0;
  for (const { perSecond, seconds } of phases) {
    const untilMs = fromMs + 1000 * seconds;
    for (let atMs = fromMs - (1000 * Math.log(1 - random())) / perSecond; atMs < untilMs; ) {
      const { inputTokens, outputTokens } = lengths.next().value;
      const { tenant = 'default', tenantWeight = 1, ...parts } = changes(requests.length);
      const request = simulatedRequest({
        id: String(requests.length),
        arrivalMs: atMs,
        inputTokens,
        outputTokens,
        targets: TARGETS,
        ...parts,
      });
      requests.push(Object.assign(request, { tenant, tenantWeight }));
      atMs -= (1000 * Math.log(1 - random())) / perSecond;
    }
    fromMs = untilMs;
  }
  return requests;
}

function run(requests: readonly SimulatedRequest[], policy: SchedulerPolicy = uellm, parts: Partial<ReplicaSpec> = {}) {
  const replicas = ['a', 'b'].map((id) => replicaSpec({ id, ...parts }));
  const result = simulateRequests(requests, { policy, replicas, predictor: createPredictor('learned'), stepNoise: 0.05 });
  expect(requests.filter(({ outcome }) => outcome !== 'served')).toEqual([]);
  return summarise({ policy: policy.name, predictor: 'learned', rateScale: 1, seed: 1 }, requests, result);
}
const attainment = (requests: readonly SimulatedRequest[]) => requests.filter((r) => r.attained).length / requests.length;
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe('beyond capacity', () => {
  it('keeps nearly all of what can be kept in time, where a policy that gives nobody up keeps nothing', () => {
    const requests = () => chat([{ perSecond: 1.3 * CAPACITY, seconds: 60 }], 'overload');
    const ours = run(requests());
    expect(ours.attainment).toBeGreaterThan(0.8);
    expect(ours.attainment).toBeGreaterThan(run(requests(), leastInFlight).attainment + 0.3);
  });
  it('gives up the costliest', () => {
    const requests = chat([{ perSecond: 1.2 * CAPACITY, seconds: 60 }], 'costs');
    run(requests);
    const inputs = (attained: boolean) => mean(requests.filter((r) => r.attained === attained).map((r) => r.inputTokens));
    expect(inputs(false)).toBeGreaterThan(1.5 * inputs(true));
  });
  it('keeps more in time by giving up ahead than one by one as they are hopeless', () => {
    const kept = (demotesAhead: boolean) =>
      run(chat([{ perSecond: 1.25 * CAPACITY, seconds: 60 }], 'ahead'), createUellm('u', { demotesAhead })).attainment;
    expect(kept(true)).toBeGreaterThan(kept(false));
  });
  it.each(['one', 'two'])('spares lengths of prompt that have had their part, the sooner the more it is told to (%s)', (seed) => {
    const worstTenth = (policy: SchedulerPolicy) => {
      const { attainment: overall, attainmentByInputDecile } = run(chat([{ perSecond: 1.15 * CAPACITY, seconds: 120 }], seed), policy);
      expect(overall).toBeGreaterThan(0.85);
      expect(overall).toBeLessThan(0.97);
      return Math.min(...attainmentByInputDecile) / overall;
    };
    const [never, usually, soon] = [0, undefined, 0.7].map((lengthFairness) =>
      worstTenth(lengthFairness === undefined ? uellm : createUellm('u', { lengthFairness })),
    );
    expect(soon).toBeGreaterThan(0.6);
    expect(usually).toBeGreaterThan(0.45);
    expect(never).toBeLessThan(usually!);
  });
  it('gives up fewer of a higher priority', () => {
    const kept = (priority: number) => {
      const requests = chat([{ perSecond: 1.3 * CAPACITY, seconds: 60 }], 'priorities', (i) => ({ priority: i % 2 === 0 ? priority : 0 }));
      run(requests);
      return { high: attainment(requests.filter((_, i) => i % 2 === 0)), low: attainment(requests.filter((_, i) => i % 2 === 1)) };
    };
    const [equal, some, much] = [kept(0), kept(200), kept(1000)];
    expect(Math.abs(equal.high - equal.low)).toBeLessThan(0.03);
    expect(some.high).toBeGreaterThan(some.low + 0.03);
    expect(much.high).toBeGreaterThan(some.high);
  });
});

describe('tenants', () => {
  const flood = (seconds: number, of: (i: number) => { tenant: string; tenantWeight?: number }, load = 1.5) => {
    const requests = chat([{ perSecond: load * CAPACITY, seconds }], 'tenants', of);
    run(requests);
    const kept = (tenant: string) => requests.filter((r) => r.tenant === tenant && r.attained).length;
    const asked = (tenant: string) => requests.filter((r) => r.tenant === tenant).length;
    return { kept, share: (tenant: string) => kept(tenant) / asked(tenant) };
  };
  it('a small one keeps nearly all of its requests in time while another floods with ten times as many', () => {
    const { share } = flood(90, (i) => ({ tenant: i % 11 === 0 ? 'small' : 'big' }));
    expect(share('small')).toBeGreaterThan(0.85);
    expect(share('small')).toBeGreaterThan(share('big') + 0.05);
  });
  it('that both ask for too much have the more of it the more they weigh', () => {
    const light = (weight: number) => flood(90, (i) => (i % 2 === 0 ? { tenant: 'x' } : { tenant: 'y', tenantWeight: weight }), 2);
    const equal = light(1);
    const heavy = light(4);
    expect(Math.abs(equal.share('x') - equal.share('y'))).toBeLessThan(0.03);
    expect(heavy.share('y')).toBeGreaterThan(heavy.share('x') + 0.1);
    expect(heavy.share('y')).toBeGreaterThan(equal.share('y'));
  });
});

describe('ageing', () => {
  const queue = { maxWaitMs: 2000 };
  const BURST = { perSecond: 3 * CAPACITY, seconds: 1.5 };
  it.each(['a', 'b', 'c'])(
    'releases all that came in a burst of three times the capacity before they have aged, where it is quiet then (%s)',
    (seed) => {
      const quiet = { perSecond: 1, seconds: 15 };
      const { longestWaitSeconds } = run(chat([BURST, quiet, BURST, quiet], seed, () => ({ queue })));
      expect(longestWaitSeconds).toBeLessThan(8);
    },
  );
  it.each(['a', 'b', 'c'])('releases them soon after they have aged, where others come all the time (%s)', (seed) => {
    const going = { perSecond: 0.7 * CAPACITY, seconds: 30 };
    const { longestWaitSeconds } = run(chat([BURST, going, BURST, going], seed, () => ({ queue })));
    // Twice the capacity for the time of the burst is left over, and has half of the engines' time once it has aged.
    expect(longestWaitSeconds).toBeLessThan(4 * 2 + 2 * 2 * BURST.seconds + 1);
  });
});

describe('where KV cache is what is short', () => {
  it('promises little that is not there: engines preempt a hundredth, and far less than where nobody looks', () => {
    const requests = () => chat([{ perSecond: 50, seconds: 60 }], 'memory', () => ({ targets: { ttftMs: 5000, tpotMs: 100 } }));
    const parts = { kvCacheTokens: 60_000 };
    const ours = run(requests(), uellm, parts);
    const theirs = run(requests(), leastInFlight, parts);
    expect(ours.preemptions).toBeLessThan(0.03 * ours.requests);
    expect(ours.preemptions).toBeLessThan(0.25 * theirs.preemptions);
    expect(ours.attainment).toBeGreaterThan(theirs.attainment);
  });
});

describe('many engines', () => {
  it('more than are looked at at a time serve all, evenly', () => {
    const requests = chat([{ perSecond: 1500, seconds: 3 }], 'many');
    const replicas = Array.from({ length: 200 }, (_, i) => replicaSpec({ id: `r${i}` }));
    const { replicas: after } = simulateRequests(requests, { policy: uellm, replicas });
    expect(attainment(requests)).toBeGreaterThan(0.99);
    const counts = after.map(({ load }) => load.started);
    expect(Math.min(...counts)).toBeGreaterThan(0.3 * mean(counts));
    expect(Math.max(...counts)).toBeLessThan(3 * mean(counts));
  });
});
