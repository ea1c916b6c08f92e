/** The pages that say what it is worth and what would be otherwise, in a real browser, on a fleet that is in the database and nowhere else. */
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type ServerType, serve } from '@hono/node-server';
import { eq } from 'drizzle-orm';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measuredStepTime } from '../../core/domain/step-time.ts';
import { learn } from '../../core/profiler/learn.ts';
import { reportScores } from '../../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import { insertRevision } from '../../db/queries/deployments.ts';
import { recordHeardOf } from '../../db/queries/host-states.ts';
import { insertObservations } from '../../db/queries/observations.ts';
import { publishSnapshot } from '../../db/queries/profiler.ts';
import { deployments } from '../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { anObservation } from '../support/observations.ts';
import { aReplica } from '../support/rows.ts';

const MODEL = 'llama-3.1-8b';
const HOUR_MS = 3_600_000;
const WEB_ROOT = fileURLToPath(new URL('../../dist/web', import.meta.url));
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
const REQUESTS = 200;

if (!executablePath) it('pages of value in a browser', (context) => context.skip('no Chromium in /usr/bin: apt-get install chromium'));

describe.runIf(executablePath)('the dashboard', () => {
  let api: TestApi;
  let server: ServerType;
  let browser: Browser;
  let page: Page;
  const troubles: string[] = [];

  beforeAll(async () => {
    api = await createTestApi({ webRoot: WEB_ROOT });
    server = serve({ fetch: api.app.fetch, hostname: '127.0.0.1', port: 0 });
    await aFleet();
    const startMs = Date.now() - 60_000;
    await insertObservations(
      api.db,
      Array.from({ length: REQUESTS }, (_, i) =>
        anObservation(`seen-${i}`, {
          ...{ replicaId: 'on-h1', policy: 'relaxed', tenant: i % 4 === 0 ? 'bolt' : 'acme', acceptedAtMs: startMs + i * 250 },
          ...{ attained: i % 20 !== 0, queueMs: 1, ttftMs: 60, tpotMs: 20, e2eMs: 2000 },
          ...{ inputTokens: 100, outputTokens: 50 + (i % 100), predictedOutputP50: 100, predictedOutputP90: 140 },
        }),
      ),
    );
    for (const [i, seen] of [30, 60].entries()) {
      const batch = Array.from({ length: seen }, (_, j) => ({ ...anObservation(`learned-${j}`, { outputTokens: 80 + j }), id: j + 1 }));
      const snapshot = { ...learn(COLD_START_SNAPSHOT, batch).snapshot, version: i + 1 };
      await publishSnapshot(api.db, snapshot, reportScores(snapshot), { reason: 'learned', basedOn: i || null });
    }
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox', '--disable-gpu'] });
    page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    if (server && 'closeAllConnections' in server) server.closeAllConnections();
    server?.close();
    await api?.close();
  });

  /** Two hosts of one L40S, of which the first has had a ready replica for two hours. */
  async function aFleet(): Promise<void> {
    const value = { usdPerRequest: 0.1, usdPerViolation: 0.2 };
    const demand = { requestsPerSecond: 4, inputTokens: 100, outputTokens: 100 };
    await api.call('POST', '/api/v1/models', { name: MODEL, source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
    await api.call('POST', '/api/v1/slo-policies', { name: 'relaxed', targets: { e2eMs: 60_000, attainment: 0.9 }, value });
    for (const name of ['h1', 'h2']) {
      const accelerators = [{ kind: 'L40S', count: 1, usdPerHour: 0.5 }];
      await api.call('POST', '/api/v1/hosts', { name, accelerators, simulated: true });
      await recordHeardOf(api.db, name, []);
    }
    await api.call('POST', '/api/v1/deployments', { name: 'chat', model: MODEL, engine: { kind: 'simulated' }, demand });
    const [row] = await api.db.select().from(deployments).where(eq(deployments.name, 'chat'));
    await insertRevision(api.db, 'chat', row!.spec);
    await api.db.update(deployments).set({ currentRevision: 1 }).where(eq(deployments.name, 'chat'));
    const stepTime = measuredStepTime(MODEL, 'L40S', 1)!.coefficients;
    const createdAt = new Date(Date.now() - 2 * HOUR_MS);
    await aReplica(api.db, { id: 'on-h1', host: 'h1', acceleratorKind: 'L40S', stepTime, kvCacheTokens: 150_000, createdAt });
  }

  const field = (name: string) => page.locator(`[name=${name}]`);
  const described = async (name: string) => page.locator(`#${await field(name).getAttribute('aria-describedby')}`).textContent();
  const goto = (path: string) => page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);

  it('says what serving was worth, as the API does, and saves it as CSV', async () => {
    await goto('/value');
    const value = page.getByRole('region', { name: 'What it costs and what it is worth' });
    // 200 answers at 0.10 less 10 violations at 0.20; two hours of 0.50, and next to nothing idle.
    await value.getByText(/^Worth it: \$1[67]\.\d\d more earned than spent$/).waitFor();
    await value
      .getByRole('table', { name: 'Deployments' })
      .getByRole('row', { name: /^chat simulated 200 .* at [\d.]+\/h$/ })
      .waitFor();
    await value
      .getByRole('table', { name: 'SLO policies' })
      .getByRole('row', { name: /^relaxed 200 95.0 % target 90 % .* \$20.00/ })
      .waitFor();
    const tenants = await value.getByRole('table', { name: 'Tenants' }).getByRole('rowheader').allTextContents();
    expect(tenants).toEqual(['acme', 'bolt']);
    await value.getByRole('table', { name: 'Prices' }).getByText('usdPerHour of the host').waitFor();
    const [file] = await Promise.all([page.waitForEvent('download'), value.getByRole('button', { name: 'CSV SLO policies' }).click()]);
    expect(file.suggestedFilename()).toMatch(/^uellm-value-policy-.*\.csv$/);
    const [header, row] = readFileSync(await file.path(), 'utf8').split('\r\n');
    expect([header, row]).toEqual([expect.stringContaining('net_usd'), expect.stringMatching(/,served,relaxed,,,200,200,200,190,0.95,/)]);
  });

  it('keeps the period in the address', async () => {
    await page.getByLabel('Period').selectOption('From – to');
    await page.getByLabel('From', { exact: true }).fill('2001-01-01T00:00');
    await page.getByRole('alert').getByText('at most 400 days before the end of the period').waitFor();
    expect(await page.getByLabel('From', { exact: true }).getAttribute('aria-invalid')).toBe('true');
    await page.getByLabel('Period').selectOption('Last hour');
    await page.getByText(/^Worth it/).waitFor();
    expect(new URL(page.url()).search).toBe('?period=1h');
    expect(troubles.splice(0)).toEqual([expect.stringContaining('422')]);
  });

  it('says at its field that a period ends before it begins, and asks for no report of it', async () => {
    await goto('/value?from=2026-01-02T00:00&to=2026-01-01T00:00');
    const to = page.getByLabel('To (now where empty)');
    await page
      .locator(`#${await to.getAttribute('aria-describedby')}`)
      .getByText(/^a time after .*; given: /)
      .waitFor();
    expect(await to.getAttribute('aria-invalid')).toBe('true');
    await page.getByText('No report: the period is not valid.').waitFor();
  });

  it('replays the last requests with another target, and shows both sides', async () => {
    await goto('/what-if');
    await field('policy').selectOption('relaxed');
    await field('tpotMs').fill('0.001');
    await page.getByRole('button', { name: 'Replay' }).click();
    const answer = page.getByRole('region', { name: 'Answer' });
    await answer.getByText(`${REQUESTS} requests replayed of ${REQUESTS} observed, scheduled by uellm.`).waitFor();
    await answer.getByText('SloPolicy relaxed: + targets.tpotMs: 0.001').waitFor();
    await answer
      .getByRole('table', { name: 'SLO policies' })
      .getByRole('row', { name: /^relaxed target 90 % 95.0 % 100 % 0.0 % −100 points/ })
      .waitFor();
    await answer.getByRole('table', { name: 'Deployments' }).getByRole('cell', { name: '$0.50 → $0.50' }).waitFor();
  });

  it('shows what is wrong with a question at its field', async () => {
    await field('tpotMs').fill('-5');
    await field('deployment').selectOption('chat');
    await field('replicas').fill('many');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.locator('[name=tpotMs][aria-invalid=true]:focus').waitFor();
    expect(await described('tpotMs')).toBe('a number above 0; given: -5');
    expect((await page.getByRole('alert').allTextContents()).sort()).toEqual(['a number above 0; given: -5', 'a number; given: "many"']);
    expect(troubles.splice(0)).toEqual([expect.stringContaining('422')]);
  });

  it('holds its form in the address, and says what is missing of it', async () => {
    expect(new URL(page.url()).search).toBe('?policy=relaxed&tpotMs=-5&deployment=chat&replicas=many');
    await page.reload();
    for (const [name, value] of Object.entries({ policy: 'relaxed', tpotMs: '-5', deployment: 'chat', replicas: 'many', hours: '1' }))
      await expect.poll(() => field(name).inputValue()).toBe(value);
    await field('replicas').fill('');
    await field('hours').fill('500');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.locator('[name=replicas][aria-invalid=true]:focus').waitFor();
    expect(await described('replicas')).toBe('a number of replicas; given: nothing');
    expect(await described('hours')).toBe('hours above 0, at most 168; given: 500');
  });

  it('shows how far a replay is, and takes it back', async () => {
    await goto('/what-if');
    // One that does not end by itself.
    await page.route('**/api/v1/what-if', () => undefined, { times: 1 });
    const failed: string[] = [];
    page.on('requestfailed', (request) => failed.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByRole('progressbar', { name: 'Replayed' }).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('button:focus', { hasText: 'Replay' }).waitFor();
    await expect.poll(() => failed).toContain('POST /api/v1/what-if');
  });

  it('shows how well predictions are calibrated, and how they were learned', async () => {
    await goto('/profiler');
    const profiler = page.getByRole('region', { name: 'Profiler' });
    await profiler.getByRole('img', { name: `Calibration: 200 answers, ${MODEL}: 51.0 % below p50, 91.0 % below p90` }).waitFor();
    await profiler
      .getByRole('img', { name: /^Learning curve of llama-3.1-8b: error from [\d.]+ to [\d.]+ tokens over 2 snapshots$/ })
      .waitFor();
    await profiler.getByLabel(/^over/).selectOption('time');
    await profiler.locator('canvas').nth(1).waitFor();
    await profiler.getByText('Challenger').waitFor();
  });

  it('shows what binds a replica, and what more accelerators would bring', async () => {
    await goto('/deployments');
    const bottlenecks = page.getByRole('region', { name: 'Bottlenecks' });
    const row = bottlenecks.getByRole('row', { name: /^chat h1, 1 L40S / });
    await row.getByText('one more replica, +1').waitFor();
  });

  it('fits a narrow screen', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    for (const path of ['/value', '/what-if', '/profiler', '/deployments']) {
      await goto(path);
      await page.getByRole('heading', { level: 2 }).first().waitFor();
      expect([path, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([path, 360]);
    }
  });

  it('has nothing to complain of', () => expect(troubles).toEqual([]));
});
