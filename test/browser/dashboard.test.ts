/** The dashboard in a real browser, against a whole small installation: what happens shows by itself, and what is clicked happens. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { learn } from '../../core/profiler/learn.ts';
import { reportScores } from '../../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import { notifyChange } from '../../db/queries/changes.ts';
import { insertObservations } from '../../db/queries/observations.ts';
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

  /** By the navigation, as everybody does. */
  const open = async (title: string) => {
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title, exact: true }).click();
    await expect.poll(() => page.title()).toMatch(new RegExp(`^${title} ·`));
  };
  const host = (name: string) => page.getByRole('article', { name: new RegExp(`^Host ${name},`) });
  const replicaHost = async () => (await cluster.api<{ items: { host: string }[] }>('GET', '/replicas?state=ready')).items[0]!.host;

  it('shows the fleet, and that it is simulated', async () => {
    await page.getByRole('status').filter({ hasText: 'Healthy, live' }).waitFor();
    for (const name of ['h1', 'h2']) {
      await host(name).getByText('ready', { exact: true }).waitFor();
      await host(name).getByText('simulated').waitFor();
      expect(await host(name).getByRole('listitem').count()).toBe(2);
      await host(name).getByText('Links: 32 GB/s').waitFor();
    }
  });

  it('has a page for everything: by keyboard, by address, and with a title', async () => {
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    for (let i = 0; i < 12 && (await page.evaluate('document.activeElement.textContent')) !== 'SLO'; i++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'SLO attainment' }).waitFor();
    expect([new URL(page.url()).pathname, await page.title()]).toEqual(['/slo', 'SLO · uellm']);
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.getByText('No requests in this window.').first().waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'SLO attainment' }).waitFor();
    await page.goBack();
    await host('h1').waitFor();
    await page.goto(`${address}nowhere`);
    await page.getByText('Nothing is at this address').waitFor();
    await page.getByRole('main').getByRole('link', { name: 'Deployments' }).click();
    expect(
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Deployments' }).getAttribute('aria-current'),
    ).toBe('page');
  });

  it('starts a rollout, and follows it to its end without being asked', async () => {
    await open('Deployments');
    await page.getByRole('button', { name: `Deploy ${MODEL}` }).click();
    await page.getByText(`Rollout of ${MODEL} started`).waitFor();
    await page.getByText('succeeded').waitFor();
    await page.getByText('1 of 1 ready').waitFor();
    await page.getByText('12 of 12 stages').waitFor();
    const temporal = page.getByRole('region', { name: 'Deployments' }).getByRole('link', { name: 'In Temporal' });
    expect(await temporal.getAttribute('href')).toContain(`/workflows/deploy-${MODEL}-r1`);
    await open('Placement');
    await page.getByRole('region', { name: 'Placement history' }).getByText(`deploy ${MODEL}: ${MODEL} on`).waitFor();
    await open('Fleet');
    const held = host(await replicaHost());
    await held.getByTitle(new RegExp(`${MODEL} revision 1, ready; L4 index \\d; memory of each: .* of weights, .* of 24 GiB`)).waitFor();
    await held.getByRole('img', { name: /^memory of each: .* of KV cache/ }).waitFor();
  });

  it('shows what serving costs, and what the SLO would at other targets', async () => {
    await open('Cost');
    const costs = page.getByRole('region', { name: 'Cost' });
    await costs.getByRole('row', { name: new RegExp(`^${MODEL} simulated 1 × L4 \\$0.50 `) }).waitFor();
    await costs.getByText('3 L4').waitFor();
    await costs.getByRole('columnheader', { name: 'TPOT 30 ms' }).waitFor();
    await costs.getByRole('cell', { name: /^\$0.50\/h .* no TPOT target$/ }).waitFor();
  });

  it('shows a problem as the API words it', async () => {
    const detail = 'rollout of tiny: one is running';
    const problem = { type: 'urn:uellm:problem:conflict', title: 'Not possible in this state', status: 409, detail, instance: '/' };
    await open('Deployments');
    await page.route('**/rollouts', (route) => route.fulfill({ status: 409, json: problem }), { times: 1 });
    await page.getByRole('button', { name: `Roll out ${MODEL}` }).click();
    await page.getByText(detail).waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    expect(troubles.splice(0)).toEqual([expect.stringContaining('409')]);
  });

  it('drains a host by keyboard, and shows the receipt', async () => {
    await open('Fleet');
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
    await open('Profiler');
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

  it('compares two plans; the address names them', async () => {
    await open('Placement');
    const drained = page
      .getByRole('listitem')
      .filter({ hasText: /^drain/ })
      .first();
    await drained.locator('summary').click();
    await drained.getByRole('link', { name: 'What changed' }).click();
    const changed = page.getByRole('region', { name: 'What changed' });
    await changed.getByRole('row', { name: new RegExp(`^moved ${MODEL} h\\d \\[\\d\\] ?1 × L4, revision 1`) }).waitFor();
    await changed.getByRole('article', { name: 'Older plan' }).getByText('applied').waitFor();
    await page.reload();
    await changed.getByText('$0.50/h, as before').waitFor();
    const plans = (await cluster.api<{ items: { id: string }[] }>('GET', '/plans')).items;
    await page.getByLabel('Another plan').selectOption(plans.at(-1)!.id);
    await changed.getByText('Every replica stands where it stood.').waitFor();
    expect(new URL(page.url()).searchParams.get('to')).toBe(plans.at(-1)!.id);
  });

  it('shows attainment and what is asked for as they come, and by policy', async () => {
    await open('SLO');
    const seen = (i: number) => ({
      ...anObservation(`asked-${i}`, {
        policy: i % 2 ? 'relaxed' : 'strict',
        attained: i > 4,
        inputTokens: 100 + 10 * i,
        outputTokens: 50 + i,
      }),
      ...{ acceptedAtMs: Date.now() - 60_000, predictedOutputP50: 60, predictedOutputP90: 120, deployment: MODEL, tenant: 'default' },
    });
    await insertObservations(
      cluster.db,
      Array.from({ length: 40 }, (_, i) => seen(i)),
    );
    const slo = page.getByRole('region', { name: 'SLO attainment' });
    await slo.getByRole('row', { name: /^relaxed 20 2 90.0 % 90 % 0.0 % of 2 requests 1.0 × 1.0 ×$/ }).waitFor();
    await slo.getByRole('row', { name: /^strict 20 3 85.0 % none any more/ }).waitFor();
    await slo
      .getByRole('img', { name: 'Attainment: relaxed: 90.0 % of 20 requests, target 90 %; strict: 85.0 % of 20 requests' })
      .waitFor();
    const queries = page.getByRole('region', { name: 'Distribution of queries' });
    await queries.getByRole('img', { name: /^Arrivals: 40 requests, at most 40.0 a minute/ }).waitFor();
    await queries.getByRole('img', { name: /^Input length: median 295, / }).waitFor();
    await queries.getByRole('img', { name: /^Output length, predicted and actual: 40 answers, 100 % of them/ }).waitFor();
    expect(await queries.locator('canvas').count()).toBe(4);
    await page.getByLabel('Policy').selectOption('relaxed');
    await slo.getByRole('row', { name: /^strict/ }).waitFor({ state: 'detached' });
    await page.getByLabel('Window').selectOption('24 hours');
    await slo.getByRole('row', { name: /^relaxed 20/ }).waitFor();
    expect(new URL(page.url()).search).toBe('?policy=relaxed&window=86400');
    await slo.getByText('As a table').first().click();
    await slo.getByRole('cell', { name: '90.0 %' }).first().waitFor();
  });

  it('makes a key, shows it once, and revokes it', async () => {
    await open('Access');
    const keys = page.getByRole('region', { name: 'API keys' });
    await keys.getByText('everybody is its admin').waitFor();
    await keys.getByLabel('Name').fill('ci');
    await keys.getByLabel('Role').selectOption('operator');
    await keys.getByLabel('Tenant').fill('nobody');
    await keys.getByRole('button', { name: 'Make a key' }).click();
    await keys.getByText(/^the name of a tenant that is declared/).waitFor();
    expect(await keys.getByLabel('Tenant').getAttribute('aria-describedby')).toBe('key-tenant-issue');
    expect(troubles.splice(0)).toEqual([expect.stringContaining('422')]);
    await keys.getByLabel('Tenant').fill('');
    await keys.getByRole('button', { name: 'Make a key' }).click();
    const secret = await keys.getByLabel('The key', { exact: true }).inputValue();
    expect(secret).toMatch(/^uellm_/);
    const row = keys.getByRole('row', { name: new RegExp(`^${secret.slice(0, 12)}… ci operator whole fleet active`) });
    await row.waitFor();
    await keys.getByRole('button', { name: 'I have it' }).click();
    expect(await page.content()).not.toContain(secret);
    await row.getByRole('button', { name: 'Revoke ci' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await keys.getByRole('row', { name: / ci operator whole fleet revoked/ }).waitFor();
  });

  it('tells those who are no admins whose the keys are', async () => {
    const { secret } = await cluster.api<{ secret: string }>('POST', '/keys', { role: 'viewer' });
    await page.evaluate(`sessionStorage.setItem('uellm-api-key', '${secret}')`);
    await page.reload();
    await page.getByText('Keys are the admin’s to see and to make').waitFor();
    await page.evaluate('sessionStorage.clear()');
    await page.reload();
    await page.getByRole('button', { name: 'Make a key' }).waitFor();
    expect(troubles.splice(0).every((trouble) => trouble.includes('403'))).toBe(true);
  });

  it('shows a correction with its evidence, and why it was undone', async () => {
    const evidence = { message: 'steps take 1.3 times as long as predicted', stepTimeRatio: 1.3 };
    const undone = { state: 'undone' as const, undoneAt: new Date(), undoReason: 'it did not help' };
    const effect = { attainmentBefore: 0.95, attainmentAfter: 0.94 };
    await cluster.db.insert(corrections).values({ kind: 'step-time', subject: 'r1', evidence, action: 'scaled', ...undone, ...effect });
    await open('Profiler');
    await notifyChange(cluster.db, 'corrections');
    const correction = page.getByRole('article', { name: /^Correction \d+, undone$/ });
    await correction.getByText(evidence.message).waitFor();
    await correction.getByText('step time ratio 1.3').waitFor();
    await correction.getByText('95.0 % → 94.0 %').waitFor();
    await correction.getByText('it did not help').waitFor();
  });

  it('fits a narrow screen', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    for (const title of await page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allTextContents()) {
      await open(title);
      await page.getByRole('main').getByRole('heading').first().waitFor();
      expect([title, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([title, 360]);
    }
  });

  it('asks nobody else for anything, and has nothing to complain of', () => {
    expect(foreign).toEqual([]);
    expect(troubles).toEqual([]);
  });
});
