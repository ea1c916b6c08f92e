import { describe, expect, it } from 'vitest';
import type { AdviceItem, DiagnosisAnswer, ReplicaDiagnosisItem } from '../api/schema/index.ts';
import { runCli } from '../test/support/cli.ts';
import { diagnosisText } from './diagnosis-text.ts';

const demand = { requestsPerSecond: 2, inputTokens: 1000, outputTokens: 200 };
const r1: ReplicaDiagnosisItem = {
  ...{ replicaId: 'r1', deployment: 'chat', host: 'h1', acceleratorKind: 'L40S', tensorParallel: 4, simulated: true },
  ...{ stepTimeSource: 'calibrated', observedSeconds: 300, demand, attainment: 0.8, targetAttainment: 0.9, batch: 9 },
  ...{ decodeStepMs: 11, prefillStepMs: 300, binds: 'link', why: '59 % of step time: all-reduces of 4 L40S' },
  stepShares: { weights: 0.2, kvRead: 0.09, compute: 0.03, attention: 0, link: 0.59, host: 0.09 },
  utilisation: { compute: 0.03, bandwidth: 0.29, link: 0.59, host: 0.09, 'kv-cache': 0.2, queue: 0.04 },
  limit: {
    ...{ requestsPerSecond: 2.34, meetsSlo: true, binds: 'link' },
    withTwice: { compute: 1.03, bandwidth: 1.08, link: 2.031, host: 1.02, 'kv-cache': 1 },
  },
};
const r2: ReplicaDiagnosisItem = {
  ...{ ...r1, replicaId: 'r2', simulated: false, binds: 'idle', why: 'nothing came', demand: null, attainment: null },
  limit: { ...r1.limit, meetsSlo: false, withTwice: { ...r1.limit.withTwice, link: null } },
};
const now = { requestsPerSecond: 2.34, meetsSlo: true, ttftMs: 475.8, tpotMs: 23.4, usdPerHour: 6.2 };
const chat: AdviceItem = {
  ...{
    deployment: 'chat',
    acceleratorKind: 'L40S',
    tensorParallel: 4,
    targets: null,
    replicas: 1,
    allReplicas: 2,
    demand,
    observed: true,
    now,
  },
  options: [
    {
      ...{ change: 'widen', acceleratorKind: 'L40S', tensorParallel: 8, accelerators: 4, verdict: 'loses' },
      outcome: { requestsPerSecond: 0.7, meetsSlo: true, ttftMs: null, tpotMs: null, usdPerHour: 12.4 },
      message: 'more accelerators serve less',
    },
    {
      ...{ change: 'remove-replica', acceleratorKind: 'L40S', tensorParallel: 4, accelerators: -4, verdict: 'impossible' },
      ...{ outcome: null, message: 'none would be left' },
    },
  ],
};
const diagnosis: DiagnosisAnswer = { windowSeconds: 300, replicas: [r1, r2], advice: [chat], missing: [], declined: [], unknown: [] };
const text = (given: DiagnosisAnswer, one?: string) => diagnosisText(given, { columns: Number.POSITIVE_INFINITY, colour: false }, { one });

describe('a diagnosis in words', () => {
  it('has a line for each replica, and what changes of accelerators would come to', () => {
    expect(text(diagnosis)).toBe(`What binds, by the requests of the last 5 minutes
DEPLOYMENT        REPLICA  HOST  SHAPE   BINDS  WHY                                       AT THE LIMIT
chat (simulated)  r1       h1    4 L40S  link   59 % of step time: all-reduces of 4 L40S  2.3 req/s, link (twice: +103 %)
chat              r2       h1    4 L40S  idle   nothing came                              SLO out of reach: 2.3 req/s, link (twice: attains)

chat: 1 replica of 2 on 4 L40S, 2.0 req/s came (1000 tokens in, 200 out)
CHANGE                   REQ/S  TTFT    TPOT   USD/H  WHAT IT DOES
as it is                 2.3    476 ms  23 ms  6.20
one over 8 accelerators  0.7    grows   grows  12.40  more accelerators serve less
one replica fewer        -      -       -      -      none would be left
`);
  });

  it('says which limit comes first, what is planned for, and how long it looked', () => {
    const limited = { ...r1, limit: { ...r1.limit, binds: 'queue' as const } };
    const all = text({ ...diagnosis, windowSeconds: 90, replicas: [limited], advice: [{ ...chat, observed: false, allReplicas: 1 }] });
    expect(all).toContain('the last 90 seconds');
    expect(all).toMatch(/ 2\.3 req\/s, queue$/m);
    expect(all).toContain('chat: 1 replica on 4 L40S, 2.0 req/s are planned for');
  });

  it('begins with what is missing, and why', () => {
    const missing = [{ subject: 'code', reason: 'no L40S is free', since: '2026-01-31T12:00:00.000Z' }];
    const line = 'code misses replicas since 2026-01-31T12:00:00.000Z: no L40S is free\n';
    expect(text({ ...diagnosis, missing })).toBe(line + text(diagnosis));
    const declined = [{ deployment: 'chat', proposalId: 'p1', reason: 'rebalance chat: chat on h2: declined by ann' }];
    expect(text({ ...diagnosis, declined })).toBe(
      `chat has no open proposal; rebalance chat: chat on h2: declined by ann\n${text(diagnosis)}`,
    );
    expect(text({ ...diagnosis, missing, replicas: [], advice: [] })).toBe(`${line}no replica is ready\n`);
  });

  it('says so where nothing is ready', () => {
    const nothing = { ...diagnosis, replicas: [], advice: [] };
    expect([text(nothing), text(nothing, 'chat')]).toEqual(['no replica is ready\n', 'chat has no ready replica\n']);
  });
});

describe('uellm diagnose', () => {
  const run = async (args: string[], answer: DiagnosisAnswer = diagnosis) => {
    const asked: string[] = [];
    const fetch = async (url: string) => {
      asked.push(url);
      return Response.json(answer);
    };
    return { ...(await runCli(['diagnose', ...args], { fetch })), asked };
  };

  it('asks for a deployment and for a time', async () => {
    expect((await run([])).asked).toEqual(['http://127.0.0.1:8080/api/v1/diagnosis']);
    expect((await run(['chat', '--window', '60'])).asked[0]).toMatch(/diagnosis\?deployment=chat&windowSeconds=60$/);
    expect(await run(['--window', 'long'])).toMatchObject({ exitCode: 2, asked: [], err: expect.stringContaining('A number of seconds') });
  });

  it('gives the answer as JSON, and names on stderr what nothing can be said of', async () => {
    const answer = { ...diagnosis, unknown: [{ replicaId: 'r9', deployment: 'chat', reason: 'host h9 is not known' }] };
    const { out, err, exitCode } = await run(['--json'], answer);
    expect([JSON.parse(out), err, exitCode]).toEqual([answer, 'note: nothing can be said of r9: host h9 is not known\n', 0]);
    expect((await run(['-o', 'yaml'])).out).toContain('binds: link');
  });
});
