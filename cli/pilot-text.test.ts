import { describe, expect, it } from 'vitest';
import type { PilotReport, ProposalResource } from '../api/schema/index.ts';
import { runCli } from '../test/support/cli.ts';
import { pilotText } from './pilot-text.ts';

const outlook = { replicas: 1, capacityRequestsPerSecond: 5, usdPerHour: 1.55, attainment: 0.8 };
const proposal: ProposalResource = {
  ...{
    id: 'p1',
    deployment: 'chat',
    kind: 'rebalance',
    state: 'open',
    summary: 'rebalance chat: chat on h2',
    planId: 'p1',
    correctionId: null,
  },
  reasons: ['chat: 6.0 req/s forecast, 1 replica can serve 5.0 req/s'],
  moves: [{ kind: 'retire', replicaId: 'r1', deployment: 'chat', host: 'h1', reason: 'the others suffice' }],
  outlook: {
    deployment: 'chat',
    requestsPerSecond: 6,
    before: outlook,
    after: { ...outlook, replicas: 2, usdPerHour: 3.1, attainment: 0.99 },
  },
  ...{ createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2026-01-02T00:00:00.000Z', decidedAt: null, decidedBy: null, outcome: '' },
};
const q = (p50: number) => ({ p50, p90: 2 * p50, p99: 4 * p50 });
const fared = { requests: 50, attainment: 0.9, ttftMs: q(100), tpotMs: q(20), e2eMs: q(2000), waitMs: q(5), unserved: 0 };
const report: PilotReport = {
  ...{ deployment: 'chat', mode: 'shadow', modeSince: '2026-01-01T00:00:00.000Z', observed: 50, counted: 46 },
  ...{ answered: 44, cancelled: 4, replayed: 50, scheduler: 'uellm' },
  ...{ from: '2026-01-01T00:00:00.000Z', until: '2026-01-01T01:00:00.000Z' },
  policies: [
    { policy: 'chat', targetAttainment: 0.95, requests: 50, observed: 0.9, now: 0.88, wouldBe: 0.97, margin: 0.084, suffices: false },
    { policy: 'vip', targetAttainment: 0.99, requests: 900, observed: 0.7, now: 0.71, wouldBe: 0.98, margin: 0.03, suffices: true },
  ],
  latencies: { observed: fared, now: fared, wouldBe: { ...fared, ttftMs: q(70) } },
  money: { now: { replicas: 1, usdPerHour: 1.55 }, wouldBe: { replicas: 2, usdPerHour: 3.1 } },
  predictions: { predicted: 40, withinP90: 37 },
  proposals: [proposal],
  notes: ['chat: 50 requests are too few to go by (300 are enough): attainment is known to ± 8.4 points'],
};

describe("a pilot's report", () => {
  it('has attainment, latencies and money now and as they would be, predictions, and what is proposed', () => {
    expect(pilotText(report, { columns: 200, colour: false })).toMatchInlineSnapshot(`
      "chat is in shadow mode: observed and predicted for; requests go in the order of their arrival, and nothing is moved
      50 requests observed from 2026-01-01T00:00:00.000Z until 2026-01-01T01:00:00.000Z: 44 answered, 2 not served, 4 cancelled by their client
      46 of them judged, replayed as they are scheduled now and as uellm would in auto mode; 4 skipped: cancelled

      POLICY  REQUESTS  OBSERVED  ±      NOW, REPLAYED  WOULD BE  TARGET
      chat    50, few   90 %      8.4 %  88 %           97 %      95 %
      vip     900       70 %      3 %    71 %           98 %      99 %

                     TTFT p50  p99     TPOT p50  p99    WAIT p99  UNSERVED
      observed       100 ms    400 ms  20 ms     80 ms  20 ms     0
      now, replayed  100 ms    400 ms  20 ms     80 ms  20 ms     0
      would be       70 ms     280 ms  20 ms     80 ms  20 ms     0

      money: 1.55 USD/h now on 1 replica, 3.10 USD/h on 2 as proposed
      predictions: 40 of 44 answers had one and a known length; 37 of those are within their p90, 92.5 % where 90 % are meant

      waits for an operator:
        p1 open, until 2026-01-02T00:00:00.000Z: uellm pilot approve p1
          rebalance chat: chat on h2
          chat: replicas 1 -> 2, capacity 5.0 for 6.0 req/s, 1.55 USD/h -> 3.10 USD/h, predicted attainment 80 % -> 99 %
          retire r1 on h1: the others suffice
          because chat: 6.0 req/s forecast, 1 replica can serve 5.0 req/s
      note: chat: 50 requests are too few to go by (300 are enough): attainment is known to ± 8.4 points
      "
    `);
  });

  it('says so where there is nothing yet', () => {
    const nothing = { ...report, policies: [], latencies: null, predictions: { predicted: 0, withinP90: 0 }, proposals: [], notes: [] };
    const text = pilotText(nothing, { columns: 200, colour: false });
    expect(text).toContain('predictions: none of answers of known length yet');
    expect(text).toContain('proposed: nothing yet');
  });

  it('says what was left out of a sample', () => {
    const text = pilotText({ ...report, observed: 50_000, replayed: 9990, counted: 8500 }, { columns: 200, colour: false });
    expect(text).toContain('; 41500 skipped: 40010 not in the sample, the others cancelled or at an edge of it\n');
  });

  it('groups proposals by what became of them, and says who declined the one that is not made again', () => {
    const decided = { decidedBy: 'ann', decidedAt: '2026-01-01T00:30:00.000Z' };
    const proposals: ProposalResource[] = [
      { ...proposal, ...decided, id: 'p3', state: 'declined', outcome: 'too dear' },
      { ...proposal, id: 'p2', state: 'withdrawn', outcome: 'the planner does not propose it any more' },
      { ...proposal, ...decided, id: 'p1', state: 'done', outcome: '1 of 1 moves done' },
    ];
    const text = (of: ProposalResource[]) => pilotText({ ...report, proposals: of }, { columns: 200, colour: false });
    const lines = text(proposals).split('\n');
    const because =
      'declined by ann at 2026-01-01T00:30:00.000Z: too dear; the same is proposed again after 2026-01-02T00:00:00.000Z at the earliest';
    expect(lines.find((line) => line.startsWith('proposed:'))).toMatch(`proposed: nothing now; p3 was ${because}`);
    expect(lines.filter((line) => /^( {2}p\d|\w[^;]*:$)/.test(line))).toEqual([
      'done:',
      '  p1 done',
      'declined:',
      '  p3 declined',
      'withdrawn:',
      '  p2 withdrawn',
    ]);
    expect(text([proposal, ...proposals])).not.toContain('proposed:');
  });
});

/** An API that remembers what it was asked, and has one deployment and one proposal. */
function api() {
  const asked: { call: string; body: unknown; ifMatch: string | null }[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    const { pathname, search } = new URL(url);
    const ifMatch = new Headers(init.headers).get('if-match');
    asked.push({ call: `${init.method} ${pathname}${search}`, body: init.body ? JSON.parse(String(init.body)) : null, ifMatch });
    if (pathname.endsWith('/pilot')) return Response.json(report);
    if (pathname.includes('/proposals/')) return Response.json({ ...proposal, state: 'approved' });
    if (pathname.endsWith('/nobody'))
      return Response.json({ status: 404, detail: 'none' }, { status: 404, headers: { 'content-type': 'application/problem+json' } });
    return Response.json({ name: 'chat', mode: 'shadow', status: {} }, { headers: { etag: '"7"' } });
  };
  return { asked, uellm: (line: string) => runCli(line.split(' '), { fetch }) };
}

describe('uellm mode', () => {
  it('writes the deployment back in its version, with the mode', async () => {
    const { asked, uellm } = api();
    expect(await uellm('mode chat advise')).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/^chat: shadow -> advise: scheduled; /),
    });
    expect(asked.at(-1)).toEqual({
      ...{ call: 'PUT /api/v1/deployments/chat', ifMatch: '"7"' },
      body: { name: 'chat', mode: 'advise', status: {} },
    });
  });

  it('changes nothing where it is in that mode, and names what is allowed', async () => {
    const { asked, uellm } = api();
    expect((await uellm('mode chat shadow')).out).toMatch(/^chat: shadow: observed/);
    expect(asked).toHaveLength(1);
    expect(await uellm('mode chat manual')).toMatchObject({ exitCode: 2, err: expect.stringMatching(/shadow, advise, auto/) });
    expect(await uellm('mode nobody auto')).toMatchObject({ exitCode: 1, err: expect.stringMatching(/nobody/) });
  });
});

describe('uellm pilot', () => {
  it('asks for so many hours, and passes on decisions with their reason', async () => {
    const { asked, uellm } = api();
    expect((await uellm('pilot report chat --hours 6')).out).toMatch(/^chat is in shadow mode/);
    expect((await uellm('pilot approve p1 --reason why')).out).toMatch(/^proposal p1 is approved: rebalance chat/);
    await uellm('pilot decline p1');
    expect(asked.map(({ call, body }) => [call, body])).toEqual([
      ['GET /api/v1/deployments/chat/pilot?hours=6', null],
      ['POST /api/v1/proposals/p1/approve', { reason: 'why' }],
      ['POST /api/v1/proposals/p1/decline', { reason: '' }],
    ]);
    expect((await uellm('pilot report chat --hours soon')).exitCode).toBe(2);
  });
});
