import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey } from '../../../db/queries/keys.ts';
import { observations } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import { queryDistributionSchema, sloHistorySchema } from '../../schema/slo-history.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
let api: TestApi;
let now: number;

beforeAll(async () => {
  api = await createTestApi();
  now = Date.now();
  await api.call('POST', '/api/v1/slo-policies', { name: 'chat', targets: { ttftMs: 500, attainment: 0.9 } });
  const observed = (id: string, agoMs: number, fields: Parameters<typeof anObservation>[1]) => {
    const { acceptedAtMs, ...rest } = anObservation(id, { policy: 'chat', attained: true, ...fields });
    return { ...rest, acceptedAt: new Date(now - agoMs) };
  };
  const predicted = { predictedOutputP50: 100, predictedOutputP90: 250 };
  await api.db.insert(observations).values([
    // Of the last hour: 8 attained, 2 not; one cancelled does not count.
    ...Array.from({ length: 8 }, (_, i) =>
      observed(`a${i}`, 10 * MINUTE_MS, { inputTokens: 100 * 2 ** i, outputTokens: 50 * (i + 1), ...predicted }),
    ),
    observed('missed-1', 11 * MINUTE_MS, { attained: false, tenant: 't1', outcome: 'failed', outputTokens: null }),
    observed('missed-2', 30 * MINUTE_MS, { attained: false, deployment: 'code', outputTokens: 7 }),
    observed('cancelled', 12 * MINUTE_MS, { attained: null, outcome: 'cancelled', outputTokens: 3 }),
    // Of five hours ago.
    ...Array.from({ length: 10 }, (_, i) => observed(`b${i}`, 5 * HOUR_MS, {})),
    observed('gone', 20 * MINUTE_MS, { policy: 'forgotten' }),
    observed('strict', 20 * MINUTE_MS, { policy: 'fallback', attained: false }),
  ]);
});
afterAll(() => api.close());

const history = async (query = '', key?: string) => {
  const answer = await api.call('GET', `/api/v1/slo-attainment/history${query}`, undefined, key ? { authorization: `Bearer ${key}` } : {});
  expect(answer.status).toBe(200);
  return sloHistorySchema.parse(answer.body);
};
const distribution = async (query = '') => {
  const answer = await api.call('GET', `/api/v1/observations/distribution${query}`);
  expect(answer.status).toBe(200);
  return queryDistributionSchema.parse(answer.body);
};

describe('the history of attainment', () => {
  it('sums what was attained by policy and step, with the budget that is left and how fast it goes', async () => {
    const { policies, stepSeconds, since } = await history();
    expect(stepSeconds).toBe(60);
    expect(policies.map((p) => p.policy)).toEqual(['chat', 'fallback', 'forgotten']);
    const chat = policies[0]!;
    expect(chat).toMatchObject({ targetAttainment: 0.9, requests: 10, missed: 2, errorBudget: { allowed: 1, remaining: -1 } });
    expect(chat.burnRates).toEqual({ lastHour: 2, lastSixHours: 1 });
    expect(chat.steps.map(({ requests, attained }) => [requests, attained])).toEqual([
      [1, 0],
      [1, 0],
      [8, 8],
    ]);
    expect(Date.parse(chat.steps[0]!.startsAt) % MINUTE_MS).toBe(0);
    expect(Date.parse(since)).toBeLessThanOrEqual(now - HOUR_MS);
    expect(policies[2]).toMatchObject({ targetAttainment: null, errorBudget: null, burnRates: { lastHour: null, lastSixHours: null } });
  });

  it.each([
    [3600, 60],
    [86_400, 900],
    [604_800, 7200],
    [1, 5],
  ])('counts %i s in steps of %i s', async (seconds, stepSeconds) => {
    expect((await history(`?windowSeconds=${seconds}`)).stepSeconds).toBe(stepSeconds);
  });

  it('is of a policy, a deployment, a tenant', async () => {
    const counted = async (query: string) => (await history(query)).policies.map((p) => `${p.policy} ${p.requests}`);
    expect(await counted('?policy=forgotten')).toEqual(['forgotten 1']);
    expect(await counted('?deployment=code')).toEqual(['chat 1']);
    expect(await counted('?tenant=t1')).toEqual(['chat 1']);
    expect(await counted('?windowSeconds=86400&policy=chat')).toEqual(['chat 20']);
    expect(await counted('?policy=nobody')).toEqual([]);
  });

  it("shows a tenant's key nothing but what is its own", async () => {
    const { secret } = await createKey(api.db, { name: null, role: 'viewer', tenant: 't1', expiresInSeconds: null }, 'test');
    expect((await history('', secret)).policies.map((p) => p.requests)).toEqual([1]);
    const headers = { authorization: `Bearer ${secret}` };
    expect((await api.call('GET', '/api/v1/slo-attainment/history?tenant=default', undefined, headers)).status).toBe(404);
    expect((await api.call('GET', '/api/v1/observations/distribution?tenant=default', undefined, headers)).status).toBe(404);
  });

  it('refuses a window that is too long', async () => {
    const { status, body } = await api.call('GET', '/api/v1/slo-attainment/history?windowSeconds=604801');
    expect([status, body]).toMatchObject([422, { issues: [{ field: 'windowSeconds', given: '"604801"' }] }]);
  });
});

describe('the distribution of queries', () => {
  it('counts arrivals, cancelled ones too', async () => {
    const { arrivals } = await distribution('?policy=chat');
    expect(arrivals.map((a) => a.requests)).toEqual([1, 1, 1, 8]);
  });

  it('counts lengths in buckets without gaps', async () => {
    const { inputTokens, outputTokens, sampled } = await distribution('?policy=chat&tenant=default');
    expect(sampled).toBe(10);
    expect(inputTokens).toMatchObject({ requests: 10, p50: 650 });
    expect(inputTokens.buckets[0]).toEqual({ fromTokens: 91, belowTokens: 128, requests: 1 });
    expect(inputTokens.buckets.reduce((sum, b) => sum + b.requests, 0)).toBe(10);
    for (const [i, bucket] of inputTokens.buckets.entries())
      if (i > 0) expect(bucket.fromTokens).toBe(inputTokens.buckets[i - 1]!.belowTokens);
    // Neither what failed nor what its client cancelled is an answer; 7 tokens lie below the first edge.
    expect(outputTokens.requests).toBe(9);
    expect(outputTokens.buckets[0]).toEqual({ fromTokens: 0, belowTokens: 8, requests: 1 });
  });

  it('puts predicted lengths beside those that came', async () => {
    const { predictions } = await distribution('?policy=chat');
    expect(predictions).toEqual([
      {
        ...{ fromTokens: 91, belowTokens: 128, requests: 8, meanPredictedP50: 100, meanPredictedP90: 250 },
        ...{ actualP10: 85, actualP50: 225, actualP90: 365, shareBelowP90: 5 / 8 },
      },
    ]);
  });

  it('says so where there is nothing', async () => {
    const nothing = { requests: 0, p50: null, p90: null, p99: null, buckets: [] };
    expect(await distribution('?deployment=nobody')).toMatchObject({
      arrivals: [],
      sampled: 0,
      inputTokens: nothing,
      outputTokens: nothing,
      predictions: [],
    });
  });
});
