/** The dashboard in a real browser, against a whole small installation: what happens shows by itself, and what is clicked happens. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { learn } from '../../core/profiler/learn.ts';
import { reportScores } from '../../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import { notifyChange } from '../../db/queries/changes.ts';
import { latestSnapshotVersion, publishSnapshot } from '../../db/queries/profiler.ts';
import { corrections } from '../../db/schema/index.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';
import { anObservation } from '../support/observations.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));

if (!executablePath) it('the dashboard in a browser', (context) => context.skip('no Chromium in /usr/bin: apt-get install chromium'));

describe.runIf(executablePath)('the dashboard', () => {
  let cluster: Cluster;
  let browser: Browser;
  let page: Page;
  let address: string;
  const troubles: string[] = [];
  const foreign: string[] = [];

  beforeAll(async () => {
    cluster = await startCluster(smallFleet());
    address = `http://127.0.0.1:${cluster.environment.ports.api}/`;
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox', '--disable-gpu'] });
    page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('request', (request) => request.url().startsWith(address) || foreign.push(request.url()));
    await page.goto(address);
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.close();
  });

  const host = (name: string) => page.getByRole('article', { name: new RegExp(`^Host ${name},`) });
  const replicaHost = async () => (await cluster.api<{ items: { host: string }[] }>('GET', '/replicas?state=ready')).items[0]!.host;

  it('shows the fleet, and that it is simulated', async () => {
    await page.getByRole('status').filter({ hasText: 'Healthy, live' }).waitFor();
    for (const name of ['h1', 'h2']) {
      await host(name).getByText('ready', { exact: true }).waitFor();
      await host(name).getByText('simulated').waitFor();
      expect(await host(name).getByRole('listitem').count()).toBe(2);
    }
  });

  it('starts a rollout, and follows it to its end without being asked', async () => {
    await page.getByRole('button', { name: `Deploy ${MODEL}` }).click();
    await page.getByText(`Rollout of ${MODEL} started`).waitFor();
    await page.getByText('succeeded').waitFor();
    await page.getByText('1 of 1 ready').waitFor();
    await page.getByText('12 of 12 stages').waitFor();
    await host(await replicaHost())
      .getByTitle(new RegExp(`${MODEL} revision 1, ready`))
      .waitFor();
    const temporal = page.getByRole('region', { name: 'Deployments' }).getByRole('link', { name: 'In Temporal' });
    expect(await temporal.getAttribute('href')).toContain(`/workflows/deploy-${MODEL}-r1`);
    await page.getByRole('region', { name: 'Plans' }).getByText(`deploy ${MODEL}: ${MODEL} on`).waitFor();
  });

  it('shows what serving costs, and what the SLO would at other targets', async () => {
    const costs = page.getByRole('region', { name: 'Cost' });
    await costs.getByRole('row', { name: new RegExp(`^${MODEL} simulated 1 × L4 \\$0.50 `) }).waitFor();
    await costs.getByText('3 L4').waitFor();
    await costs.getByRole('columnheader', { name: 'TPOT 30 ms' }).waitFor();
    await costs.getByRole('cell', { name: /^\$0.50\/h .* no TPOT target$/ }).waitFor();
  });

  it('shows a problem as the API words it', async () => {
    const detail = 'rollout of tiny: one is running';
    const problem = { type: 'urn:uellm:problem:conflict', title: 'Not possible in this state', status: 409, detail, instance: '/' };
    await page.route('**/rollouts', (route) => route.fulfill({ status: 409, json: problem }), { times: 1 });
    await page.getByRole('button', { name: `Roll out ${MODEL}` }).click();
    await page.getByText(detail).waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    expect(troubles.splice(0)).toEqual([expect.stringContaining('409')]);
  });

  it('drains a host by keyboard, and shows the receipt', async () => {
    const name = await replicaHost();
    await host(name).getByRole('button', { name: 'Drain' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).focus();
    await page.keyboard.press('Enter');
    await host(name).getByText('drained', { exact: true }).waitFor();
    const receipt = page.getByRole('region', { name: 'Drains' });
    await receipt.getByText('Requests dropped').waitFor();
    expect(await receipt.locator('dd.good').textContent()).toBe('0');
    expect(await replicaHost()).not.toBe(name);
    await host(name).getByRole('button', { name: 'Uncordon' }).click();
    await host(name).getByText('ready', { exact: true }).waitFor();
  });

  it('shows the snapshots of the profiler, and goes back to one', async () => {
    const profiler = page.getByRole('region', { name: 'Profiler' });
    const batch = Array.from({ length: 30 }, (_, i) => ({ ...anObservation(`seen-${i}`, { outputTokens: 80 + i }), id: i + 1 }));
    const before = await latestSnapshotVersion(cluster.db);
    for (const version of [before + 1, before + 2]) {
      const snapshot = { ...learn(COLD_START_SNAPSHOT, batch).snapshot, version };
      await publishSnapshot(cluster.db, snapshot, reportScores(snapshot), { reason: 'recalibrated', basedOn: version - 1 || null });
    }
    await profiler.getByText(`version ${before + 2}`, { exact: true }).waitFor();
    await profiler.getByRole('row', { name: /^llama-3.1-8b 30 / }).waitFor();
    await profiler.getByRole('img', { name: new RegExp(`^llama-3.1-8b, versions \\d+ to ${before + 2}`) }).waitFor();
    await profiler.getByText('snapshots published lately').click();
    await profiler.getByRole('button', { name: `Go back to version ${before + 1}`, exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Go back' }).click();
    await profiler.getByRole('cell', { name: `rolled back to version ${before + 1}` }).waitFor();
    expect(await latestSnapshotVersion(cluster.db)).toBeGreaterThanOrEqual(before + 3);
  });

  it('shows a correction with its evidence, and why it was undone', async () => {
    const evidence = { message: 'steps take 1.3 times as long as predicted', stepTimeRatio: 1.3 };
    const undone = { state: 'undone' as const, undoneAt: new Date(), undoReason: 'it did not help' };
    const effect = { attainmentBefore: 0.95, attainmentAfter: 0.94 };
    await cluster.db.insert(corrections).values({ kind: 'step-time', subject: 'r1', evidence, action: 'scaled', ...undone, ...effect });
    await notifyChange(cluster.db, 'corrections');
    const correction = page.getByRole('article', { name: /^Correction \d+, undone$/ });
    await correction.getByText(evidence.message).waitFor();
    await correction.getByText('step time ratio 1.3').waitFor();
    await correction.getByText('95.0 % → 94.0 %').waitFor();
    await correction.getByText('it did not help').waitFor();
  });

  it('fits a narrow screen', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  });

  it('asks nobody else for anything, and has nothing to complain of', () => {
    expect(foreign).toEqual([]);
    expect(troubles).toEqual([]);
  });
});
