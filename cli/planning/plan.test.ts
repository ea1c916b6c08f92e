import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type CliOptions, runCli } from '../../test/support/cli.ts';
import type { PlanResult } from './plan.ts';

const folder = mkdtempSync(join(tmpdir(), 'uellm-plan-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
function file(content: unknown): string {
  const path = join(folder, `${++files}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const host = (name: string, kind: string, count: number, more: object = {}) => ({ name, accelerators: [{ kind, count }], ...more });
const FLEET = { hosts: [host('h1', 'H100-SXM', 8), host('h2', 'L40S', 4), host('h3', 'L40S', 4)] };
const demand = (requestsPerSecond: number) => ({ requestsPerSecond, inputTokens: 1155, outputTokens: 211 });
const model = (requestsPerSecond: number, more: object = {}) => ({
  ...{ name: 'llama-3.1-8b', demand: demand(requestsPerSecond), slo: { tpotMs: 100 } },
  ...more,
});
const BIG = model(1, { name: 'llama-3.1-70b', slo: { tpotMs: 100 } });

interface Asked {
  fleet?: unknown;
  models?: unknown[];
  args?: string[];
  options?: CliOptions;
}

/** Not simulated: that has tests of its own. */
const plan = ({ fleet = FLEET, models = [model(8), BIG], args = ['--json', '--no-simulation'], options = {} }: Asked = {}) =>
  runCli(['plan', '--fleet', file(fleet), '--models', file({ models }), ...args], options);
async function answer(asked: Asked = {}): Promise<PlanResult> {
  const { out, err, exitCode } = await plan(asked);
  expect(exitCode, err).toBe(0);
  return JSON.parse(out) as PlanResult;
}

describe('uellm plan', () => {
  it('prints the fields of the contract', async () => {
    const { replicas, ...rest } = await answer();
    expect(rest).toMatchObject({ unplaced: [], retired: [], unmetRequestsPerSecond: 0 });
    expect(rest.costUsdPerHour).toBeCloseTo(
      replicas.reduce((sum, r) => sum + r.usdPerHour, 0),
      3,
    );
    expect(rest.lowerBoundUsdPerHour).toBeLessThanOrEqual(rest.costUsdPerHour);
    expect(rest.gap).toBeLessThan(0.01);
    expect(rest.millis).toBeGreaterThanOrEqual(0);
    for (const r of replicas) {
      expect(r.accelerators.length).toBe(r.tensorParallel * (r.pipelineStages?.length ?? 1));
      expect(r.capacityRequestsPerSecond).toBeGreaterThan(0);
      expect(r.present).toBe(false);
    }
    const served = (name: string) => replicas.filter((r) => r.model === name).reduce((sum, r) => sum + r.capacityRequestsPerSecond, 0);
    expect(served('llama-3.1-8b')).toBeGreaterThanOrEqual(8);
    expect(served('llama-3.1-70b')).toBeGreaterThanOrEqual(1);
  });

  it('is a table for people', async () => {
    const { out } = await plan({ args: ['--no-simulation'] });
    expect(out).toMatch(/MODEL +REPLICAS/);
    expect(out).toMatch(/USD\/h; no plan costs less than \d/);
  });

  it('moves nothing of what it planned itself', async () => {
    const first = await answer();
    const again = await answer({ args: ['--json', '--no-simulation', '--from', file(first)] });
    expect(again.retired).toEqual([]);
    expect(again.replicas.every((r) => r.present)).toBe(true);
    expect(again.costUsdPerHour).toBe(first.costUsdPerHour);
  });

  it('moves nothing of a pipeline over several hosts either, and says where it leaves', async () => {
    const asked = {
      fleet: { hosts: [host('s1', 'L40S', 2), host('s2', 'L40S', 2)] },
      models: [model(0.1, { name: 'llama-3.1-70b', slo: { ttftMs: 20_000, tpotMs: 300 } })],
    };
    const first = await answer(asked);
    expect(new Set(first.replicas[0]!.pipelineStages!.map((s) => s.host))).toEqual(new Set(['s1', 's2']));
    const from = ['--no-simulation', '--from', file(first)];
    const again = await answer({ ...asked, args: ['--json', ...from] });
    expect([again.replicas.map((r) => r.present), again.retired]).toEqual([[true], []]);
    expect(again.replicas[0]!.pipelineStages).toEqual(first.replicas[0]!.pipelineStages);
    const { out } = await plan({ ...asked, models: [model(1)], args: from });
    expect(out).toMatch(/^- llama-3.1-70b off s1 \[0\], s1 \[1\], s2 \[0\], s2 \[1\]$/m);
  });

  it('gives the accelerators of what the models file does not name to what it does', async () => {
    const gone = { replicas: [{ model: 'gone', host: 'h1', accelerators: [0, 1] }] };
    const { replicas, retired, unplaced } = await answer({
      fleet: { hosts: [host('h1', 'H100-SXM', 2)] },
      models: [model(30)],
      args: ['--json', '--no-simulation', '--from', file(gone)],
    });
    expect(retired).toMatchObject([{ model: 'gone', accelerators: [0, 1] }]);
    expect([replicas.flatMap((r) => r.accelerators).sort(), unplaced]).toEqual([[0, 1], []]);
  });

  it('says what is to leave when less is asked for', async () => {
    const first = await answer({ models: [model(30)] });
    const less = await answer({ models: [model(1)], args: ['--json', '--no-simulation', '--from', file(first)] });
    expect(less.retired.length).toBeGreaterThan(0);
    expect(less.replicas.length).toBeLessThan(first.replicas.length);
  });

  it('takes a price of the host before the catalog, and says which kinds have none', async () => {
    const dear = host('h1', 'H100-SXM', 8);
    const cheap = { ...host('h2', 'H100-SXM', 8), accelerators: [{ kind: 'H100-SXM', count: 8, usdPerHour: 1 }] };
    const { replicas, notes } = await answer({ fleet: { hosts: [dear, cheap, host('h3', 'MI300X', 8)] }, models: [model(8)] });
    expect(new Set(replicas.map((r) => r.host))).toEqual(new Set(['h2']));
    expect(notes).toContain('MI300X left out: no price, neither in the catalog nor as usdPerHour of the host');
  });

  it('serves in part what does not all fit, and says so; that is a plan', async () => {
    const { replicas, unplaced, unmetRequestsPerSecond, lowerBoundUnmetRequestsPerSecond } = await answer({
      fleet: { hosts: [host('h1', 'L40S', 1)] },
      models: [model(500)],
    });
    expect(replicas).toHaveLength(1);
    expect(unmetRequestsPerSecond).toBeGreaterThan(400);
    expect(lowerBoundUnmetRequestsPerSecond).toBeCloseTo(unmetRequestsPerSecond, 3);
    expect(unplaced).toMatchObject([
      { model: 'llama-3.1-8b', reason: expect.stringMatching(/1 replica can serve .*; fits with \d+ more L40S/) },
    ]);
  });

  it('asks for nothing where nothing is asked for', async () => {
    expect(await answer({ models: [model(0)] })).toMatchObject({ replicas: [], unplaced: [], costUsdPerHour: 0, gap: 0 });
  });

  it.each([
    ['bigger than the fleet', { fleet: { hosts: [host('h1', 'T4', 1, {})] }, models: [BIG] }, /GiB of weights/],
    [
      'on hosts that only serve elsewhere',
      { fleet: { hosts: [host('h1', 'H100-SXM', 1, { external: { endpoints: [{ url: 'http://e', model: 'm' }] } })] }, models: [model(1)] },
      /./,
    ],
    [
      'under an SLO that nothing attains',
      { models: [model(1, { slo: { tpotMs: 1 } })] },
      /no free shape attains TPOT 1 ms.*fits at TPOT [\d.]+ ms/,
    ],
    [
      'whose prompts are longer than its context',
      { models: [{ ...model(1), demand: { requestsPerSecond: 1, inputTokens: 200_000, outputTokens: 211 } }] },
      /longer than the context of 131072 tokens; fits at \d+ input tokens/,
    ],
    [
      'where its lists allow no host',
      { models: [model(1, { placement: { accelerators: ['T4'] } })] },
      /it fits none of what its placement allows/,
    ],
  ])('refuses a model %s: no plan, a reason, exit code 1', async (_, asked, reason) => {
    const priced = { fleet: FLEET, ...asked };
    const { out, exitCode } = await plan(priced as Asked);
    expect(exitCode).toBe(1);
    const { replicas, unplaced } = JSON.parse(out) as PlanResult;
    expect(replicas).toEqual([]);
    expect(unplaced).toHaveLength(1);
    expect(unplaced[0]!.reason).toMatch(reason);
    expect(unplaced[0]!.reason).not.toMatch(/undefined|NaN|Infinity|\bat $/);
  });

  it.each([
    ['a kind that is unknown', { fleet: { hosts: [host('h1', 'H9000', 8)] } }, 'hosts[0].accelerators[0].kind: got "H9000"'],
    ['no accelerators', { fleet: { hosts: [host('h1', 'T4', 0)] } }, 'hosts[0].accelerators[0].count: got 0'],
    ['more accelerators than a host has', { fleet: { hosts: [host('h1', 'T4', 1000)] } }, 'hosts[0].accelerators[0].count: got 1000'],
    [
      'a link of no bandwidth',
      { fleet: { hosts: [host('h1', 'T4', 1, { links: [{ between: 'accelerators', bandwidthBytesPerSecond: 0 }] })] } },
      'hosts[0].links[0].bandwidthBytesPerSecond: got 0',
    ],
    [
      'a link of a latency below nothing',
      { fleet: { hosts: [host('h1', 'T4', 1, { links: [{ between: 'hosts', latencySeconds: -1 }] })] } },
      'hosts[0].links[0].latencySeconds: got -1',
    ],
    [
      'a link between what nobody knows',
      { fleet: { hosts: [host('h1', 'T4', 1, { links: [{ between: 'moons' }] })] } },
      'hosts[0].links[0].between: got "moons"',
    ],
    ['two hosts of one name', { fleet: { hosts: [host('h1', 'T4', 1), host('h1', 'T4', 1)] } }, 'hosts of different names'],
    ['no hosts', { fleet: { hosts: [] } }, 'hosts: '],
    [
      'a price below nothing',
      { fleet: { hosts: [{ name: 'h1', accelerators: [{ kind: 'T4', count: 1, usdPerHour: -2 }] }] } },
      'usdPerHour: got -2',
    ],
    ['a demand below nothing', { models: [model(-1)] }, 'models[0].demand.requestsPerSecond: got -1'],
    ['a fleet that is not one', { fleet: 'hosts: [' }, 'is not valid'],
  ])('names what is wrong with %s, exit code 2', async (_, asked, told) => {
    const { out, err, exitCode } = await plan(asked as Asked);
    expect([out, exitCode]).toEqual(['', 2]);
    expect(err).toContain(told);
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('names the flag of a file that is not there', async () => {
    const { err, exitCode } = await runCli(['plan', '--fleet', '/nowhere.yaml', '--models', '/nowhere.yaml']);
    expect(err).toContain('--fleet: got "/nowhere.yaml"');
    expect(exitCode).toBe(2);
    expect((await runCli(['plan', '--models', '/nowhere.yaml'])).exitCode).toBe(2);
  });

  it('asks the installation what it has with --from current', async () => {
    const asked: string[] = [];
    const fetch = async (url: string) => {
      asked.push(url);
      const items = [
        { id: 'r1', deployment: 'llama-3.1-8b', model: 'llama-3.1-8b', host: 'h2', accelerators: [1], tensorParallel: 1, state: 'ready' },
      ];
      return Response.json({ items });
    };
    const { replicas } = await answer({ models: [model(1)], args: ['--json', '--no-simulation', '--from', 'current'], options: { fetch } });
    expect(asked).toHaveLength(1);
    expect(replicas).toMatchObject([{ host: 'h2', accelerators: [1], present: true }]);
  });
});
