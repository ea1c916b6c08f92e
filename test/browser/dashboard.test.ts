/** The dashboard in a real browser, against a whole small installation: what happens shows by itself, and what is clicked happens. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';

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

  it('fits a narrow screen', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  });

  it('asks nobody else for anything, and has nothing to complain of', () => {
    expect(foreign).toEqual([]);
    expect(troubles).toEqual([]);
  });
});
