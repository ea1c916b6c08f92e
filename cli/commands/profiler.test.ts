import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import type { ProfilerSnapshotResource, ProfilerStatus } from '../../api/schema/index.ts';
import { runCli } from '../../test/support/cli.ts';
import { processTerminal } from '../terminal.ts';
import { addProfiler } from './profiler.ts';

const score = { observations: 1200, maeTokens: 61.25, maeConstantMedianTokens: 80, coverage90: 0.9034 };
const snapshot = (version: number, fields: Partial<ProfilerSnapshotResource> = {}): ProfilerSnapshotResource => ({
  version,
  createdAt: new Date(Date.now() - 90_000).toISOString(),
  reason: 'learned',
  basedOn: version - 1 || null,
  trainedThroughId: version * 100,
  scores: { all: score, models: { 'llama-3.1-8b': score } },
  ...fields,
});
const STATUS: ProfilerStatus = {
  inForce: snapshot(3, { reason: 'rolled back to version 1', basedOn: 1 }),
  waiting: 4,
  history: [snapshot(3, { reason: 'rolled back to version 1', basedOn: 1 }), snapshot(2), snapshot(1)],
};

/** An API that answers this, and what it was asked. */
function answering(body: unknown, status = 200) {
  const asked: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    asked.push(`${init.method} ${new URL(url).pathname}${new URL(url).search} ${init.body ?? ''}`.trim());
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    return new Response(JSON.stringify(body), { status, headers: { 'content-type': type } });
  };
  return { asked, fetch };
}

describe('profiler status', () => {
  it('shows the snapshot in force, the scores of each model, and the history', async () => {
    const { asked, fetch } = answering(STATUS);
    const { out, exitCode } = await runCli(['profiler', 'status'], { fetch });
    expect([exitCode, asked]).toEqual([0, ['GET /api/v1/profiler/status']]);
    expect(out.split('\n')).toEqual([
      'version 3 in force for 1 min, trained through observation 300, 4 observations to be learned from',
      '',
      'MODEL         ANSWERS  MAE          CONSTANT MEDIAN  COVERAGE 90',
      'llama-3.1-8b  1200     61.3 tokens  80.0 tokens      90.34 %',
      '',
      'VERSION  AGE    REASON                    FROM  ANSWERS  MAE          CONSTANT MEDIAN  COVERAGE 90',
      '3        1 min  rolled back to version 1  1     1200     61.3 tokens  80.0 tokens      90.34 %',
      '2        1 min  learned                   1     1200     61.3 tokens  80.0 tokens      90.34 %',
      '1        1 min  learned                   -     1200     61.3 tokens  80.0 tokens      90.34 %',
      '',
    ]);
  });

  it('is the same as JSON and YAML', async () => {
    const { fetch } = answering(STATUS);
    expect(JSON.parse((await runCli(['profiler', 'status', '--json'], { fetch })).out)).toEqual(STATUS);
    expect((await runCli(['profiler', 'status', '-o', 'yaml'], { fetch })).out).toContain('reason: rolled back to version 1');
  });

  it('says what predicts before the first snapshot, and what is of another release', async () => {
    const none = answering({ inForce: null, waiting: 10_000, history: [] });
    expect((await runCli(['profiler', 'status'], none)).out).toBe(
      'no snapshot was published yet: answers are predicted by published constants; 10000 observations or more to be learned from\n',
    );
    const foreign = snapshot(1, { scores: null, reason: '' });
    const { out } = await runCli(['profiler', 'status'], answering({ inForce: foreign, waiting: 0, history: [foreign] }));
    expect(out).toContain('its scores are of another release');
  });
});

describe('the role of the same name', () => {
  it('still runs where nothing else is asked', async () => {
    const terminal = { ...processTerminal(), out: vi.fn(), fetch: answering(STATUS).fetch as typeof globalThis.fetch };
    const program = new Command('uellm').exitOverride().configureOutput({ writeErr: () => undefined });
    const role = vi.fn();
    program.command('profiler').action(role);
    addProfiler(program, terminal);
    await program.parseAsync(['profiler'], { from: 'user' });
    expect([role.mock.calls.length, terminal.out.mock.calls.length]).toEqual([1, 0]);
    await program.parseAsync(['profiler', 'status'], { from: 'user' });
    expect([role.mock.calls.length, terminal.out.mock.calls.length]).toEqual([1, 1]);
    await expect(program.parseAsync(['profiler', 'staus'], { from: 'user' })).rejects.toThrow();
    expect(role).toHaveBeenCalledTimes(1);
  });
});

describe('profiler rollback', () => {
  it('puts a version in force again', async () => {
    const { asked, fetch } = answering(STATUS.inForce);
    const { out } = await runCli(['profiler', 'rollback', '--to', '1'], { fetch });
    expect(asked).toEqual(['POST /api/v1/profiler/rollback {"toVersion":1}']);
    expect(out).toBe('version 3 is in force, rolled back to version 1\n');
  });

  it('fails as the API says', async () => {
    const detail = "there is no profiler snapshot named '9'";
    const problem = { type: 'urn:uellm:problem:not-found', title: 'Not found', status: 404, detail, instance: '/' };
    expect(await runCli(['profiler', 'rollback', '--to', '9'], answering(problem, 404))).toMatchObject({
      exitCode: 1,
      out: '',
      err: `error: ${detail}\n`,
    });
  });
});

describe('delete observations', () => {
  it('of a tenant says how many went', async () => {
    const { asked, fetch } = answering({ tenant: 'acme', deleted: 12 });
    expect((await runCli(['delete', 'observations', '--tenant', 'acme'], { fetch })).out).toBe(
      "12 observations of tenant 'acme' deleted\n",
    );
    expect(asked).toEqual(['DELETE /api/v1/observations?tenant=acme']);
  });
});

describe('a tenant', () => {
  it('is applied, shown and deleted like other objects', async () => {
    const use = { requestsPerMinute: 12, tokensPerMinute: 3400, requestsInFlight: 2, requestsToday: 99, tokensToday: 51_000 };
    const status = { version: 1, createdAt: new Date().toISOString(), updatedAt: new Date().toISOString(), use };
    const tenant = { name: 'acme', features: 'off', weight: 3, limits: { requestsPerMinute: 60, tokensPerDay: 1_000_000 }, status };
    const listed = answering({ items: [tenant] });
    expect((await runCli(['get', 'tenants'], listed)).out).toBe(
      'NAME  FEATURES  WEIGHT  REQ/MIN  TOKENS/MIN  IN FLIGHT  TOKENS TODAY   VERSION\n' +
        'acme  off       3       12/60    3400        2          51000/1000000  1\n',
    );
    const applied = answering({ ...tenant, features: 'full' });
    const { out } = await runCli(['apply', '-f', '-', '--dry-run'], { ...applied, stdin: 'kind: Tenant\nname: acme\nfeatures: off\n' });
    expect(out).toContain("Tenant 'acme' would be replaced");
    expect(applied.asked).toEqual(['GET /api/v1/tenants/acme']);
    const deleted = answering({});
    expect((await runCli(['delete', 'tenant', 'acme'], deleted)).out).toBe("tenant 'acme' deleted\n");
    expect(deleted.asked).toEqual(['DELETE /api/v1/tenants/acme']);
  });
});
