/**
 * The API against its own document, by schemathesis: requests that fit the schemas and requests that do not, each answer held against what the
 * document says of it. Seeded and bounded, so that a run is the same as the last one. `/metrics`, `/codec/*`, the pages and the document itself are
 * not in the document.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAdaptorServer } from '@hono/node-server';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { reportScores } from '../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT } from '../core/profiler/snapshot.ts';
import { publishSnapshot } from '../db/queries/profiler.ts';
import { corrections, idempotentAnswers, observations, plans, rollouts } from '../db/schema/index.ts';
import { createTestApi, type TestApi } from '../test/support/api.ts';
import { anObservation } from '../test/support/observations.ts';
import { findPythonPackage } from '../test/support/python-client.ts';
import { aReplica } from '../test/support/rows.ts';
import { NO_DRAIN } from './actions.ts';

const SEED = 20_240_914;
const EXAMPLES = 8;

const schemathesis = await findPythonPackage('schemathesis', '4.32.5');

let api: TestApi;
let server: Server;
const folder = mkdtempSync(join(tmpdir(), 'uellm-schemathesis-'));
beforeAll(async () => {
  api = await createTestApi();
  await seed(api);
  server = createAdaptorServer({ fetch: answerAnew }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
/** Its keys repeat where its requests do not: each counts as new, so that the request itself is looked at. */
async function answerAnew(request: Request): Promise<Response> {
  if (request.headers.has('idempotency-key')) await api.db.delete(idempotentAnswers);
  return api.app.fetch(request);
}

/** One of everything that only workflows and gateways write, under the ids that are tried first: 0 and 1. */
async function seed({ db, actions }: TestApi): Promise<void> {
  await api.call('POST', '/api/v1/hosts', { name: '0', accelerators: [{ kind: 'L4', count: 1 }], simulated: true });
  await api.call('POST', '/api/v1/models', { name: '0', source: 'hf://a/b' });
  await api.call('POST', '/api/v1/deployments', { name: '0', model: '0', engine: { kind: 'simulated' } });
  await api.call('POST', '/api/v1/deployments/0/rollouts');
  await db.update(rollouts).set({ id: '0' });
  await aReplica(db, { id: '0' });
  const report = { summary: 's', reasons: [], waiting: [], costUsdPerHourBefore: null, costUsdPerHourAfter: null };
  await db.insert(plans).values({ id: '0', purpose: 'deploy', subject: '0', basedOn: null, moves: [], report, state: 'applied' });
  const { acceptedAtMs, ...observed } = anObservation('0', { attained: true, ttftMs: 20, tpotMs: 5, e2eMs: 500 });
  await db.insert(observations).values({ ...observed, acceptedAt: new Date() });
  await db.insert(corrections).values({ kind: 'step-time', subject: '0', evidence: { errorPercent: 12 }, action: 'recalibrated' });
  const snapshot = { ...COLD_START_SNAPSHOT, version: 1 };
  await publishSnapshot(db, snapshot, reportScores(snapshot), { reason: 'learned', basedOn: null });
  const schedule = { everySeconds: 300, paused: false, note: '', lastRunAt: new Date(), nextRunAt: null };
  actions.schedules.mockResolvedValue([
    { ...schedule, name: 'rebalance' },
    { ...schedule, name: 'monitor' },
  ]);
  actions.rebalance.mockResolvedValue({ state: 'failed', failure: 'it was terminated' });
  actions.drainStatus.mockResolvedValue({
    running: true,
    status: { ...NO_DRAIN, host: '0', phase: 'replacing', reason: 'replacements start' },
  });
}

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

it('answers as its document says', { timeout: 300_000, retry: 0 }, async ({ skip }) => {
  if ('skipped' in schemathesis) return skip(schemathesis.skipped);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/openapi.json`;
  const args = [
    ...['-m', 'schemathesis.cli', `--config-file=${join(import.meta.dirname, '../test/support/schemathesis.toml')}`, 'run', url],
    ...['--checks=all', '--mode=all', `--seed=${SEED}`, `--max-examples=${EXAMPLES}`, '--generation-database=none', '--warnings=off'],
    // A stream that does not end; its own tests read it.
    '--exclude-path=/api/v1/events',
  ];
  // It leaves files where it runs.
  const { stdout, failed } = await promisify(execFile)(schemathesis.python, args, { cwd: folder, maxBuffer: 2 ** 26 }).then(
    ({ stdout }) => ({ stdout, failed: false }),
    (error) => ({ stdout: `${error.stdout}${error.stderr}`, failed: true }),
  );
  expect(failed, stdout).toBe(false);
});
