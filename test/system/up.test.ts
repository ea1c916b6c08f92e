/** `npm start` as a newcomer sees it: it comes up, mends what is killed, finds its data and its engines again, and ends in order. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { variablesOf } from '../../bin/environment/for-children.ts';
import { type Environment, readEnvironment } from '../../bin/environment.ts';
import { readPidFile } from '../../bin/processes/pid-file.ts';
import { layoutOf } from '../../bin/up/layout.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';
import { freePorts } from '../support/ports.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let directory: string;
let environment: Environment;
let up: ChildProcess;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-up-'));
  chmodSync(directory, 0o755); // where we are root, Postgres runs as somebody else
  const documents = smallFleet({}).objects.map((object) => JSON.stringify(object));
  writeFileSync(join(directory, 'fleet.yaml'), documents.join('\n---\n'));
  environment = readEnvironment({
    UELLM_DATA_DIR: join(directory, 'data'),
    ...(await freePorts()),
  });
  up = start();
});

afterAll(() => {
  signalGroup('SIGKILL');
  for (const pid of remaining()) process.kill(pid, 'SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function start(command = ['npm', 'start', '--'], output: 'log' | 'pipe' = 'log'): ChildProcess {
  const out = output === 'pipe' ? output : openSync(join(directory, 'up.log'), 'a');
  const [program, ...args] = [...command, '--fleet', join(directory, 'fleet.yaml')];
  return spawn(program!, args, {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', out, out],
    env: variablesOf(environment),
  });
}

/** As a terminal's Ctrl-C does: npm, and all that it did not put into a group of its own. */
function signalGroup(signal: NodeJS.Signals): void {
  try {
    process.kill(-up.pid!, signal);
  } catch {
    // it has ended
  }
}

/** Processes that have our folder among their arguments. */
function remaining(): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(environment.dataDir)).map((line) => Number(line.trim().split(' ')[0]));
}

const output = () => readFileSync(join(directory, 'up.log'), 'utf8');

async function answers(): Promise<number> {
  const request = {
    method: 'POST',
    body: JSON.stringify({ model: MODEL, prompt: 'hello', max_tokens: 4 }),
    signal: AbortSignal.timeout(5000),
  };
  return fetch(`${environment.gatewayUrl}/v1/completions`, request).then(
    (response) => response.status,
    () => 0,
  );
}

async function served(): Promise<void> {
  await expect.poll(answers, { timeout: 90_000, interval: 250, message: output() }).toBe(200);
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) }).then(
    (response) => response.ok,
    () => false,
  );
}

const pidOf = (name: string) => readPidFile(join(layoutOf(environment.dataDir).runDir, `${name}.pid`))?.pid;

/** Of the one engine of the small fleet. */
function enginePid(): number | undefined {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  const line = lines.find((l) => l.includes('engines/simulated/main.js') && l.includes(environment.dataDir));
  return line ? Number(line.trim().split(' ')[0]) : undefined;
}

describe('npm start', () => {
  it('comes up and serves', { timeout: 100_000 }, () => served());

  it('says where everything is, and that it is simulated', async () => {
    expect(output()).toContain(`dashboard      ${environment.apiUrl}/`);
    await expect.poll(output, { timeout: 20_000 }).toContain('(simulated)');
  });

  it('refuses a second one on the same data', async () => {
    const { dataDir } = environment;
    for (const [field, flags] of [['UELLM_DATA_DIR', []] as const, ['--data-dir', ['--data-dir', dataDir]] as const]) {
      const second = start([process.execPath, 'bin/uellm.js', 'up', ...flags]);
      expect(await once(second, 'exit')).toEqual([2, null]);
      expect(output()).toContain(`  ${field}: got ${dataDir}, allowed is a folder that no other uellm runs on`);
    }
  });

  it('leaves nothing behind of a start that it refuses', async () => {
    const dataDir = join(directory, 'refused');
    const second = start([process.execPath, 'bin/uellm.js', 'up', '--data-dir', dataDir]);
    expect(await once(second, 'exit')).toEqual([2, null]);
    expect(output()).toContain('allowed is a port that is free');
    expect(existsSync(dataDir)).toBe(false);
  });

  it.each(['postgres', 'temporal', 'gateway', 'api'])('starts %s again when it is killed', { timeout: 60_000 }, async (name) => {
    const killed = pidOf(name)!;
    process.kill(killed, 'SIGKILL');
    await expect.poll(() => pidOf(name) ?? killed, { timeout: 20_000 }).not.toBe(killed);
    await served();
    await expect.poll(() => isReady(environment.apiUrl), { timeout: 30_000 }).toBe(true);
  });

  it('goes on after a kill -9 of all of it: the data is there, and the engine that went on serving is adopted', {
    timeout: 120_000,
  }, async () => {
    const engine = enginePid();
    signalGroup('SIGKILL');
    await once(up, 'exit');
    up = start();
    // Until then it may still be the old API that answers.
    await expect.poll(output, { timeout: 60_000 }).toContain('ended what an earlier run left behind');
    await expect.poll(() => isReady(environment.apiUrl), { timeout: 60_000 }).toBe(true);
    await served();
    expect(enginePid()).toBe(engine);
  });

  it('ends everything on Ctrl-C, engines included, within 15 seconds', { timeout: 30_000 }, async () => {
    const exited = once(up, 'exit');
    const began = Date.now();
    signalGroup('SIGINT');
    expect(await exited).toEqual([0, null]);
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(remaining()).toEqual([]);
    expect(output().trimEnd().split('\n').at(-1)).toBe(`uellm has ended; its data is in ${environment.dataDir}`);
    expect(existsSync(layoutOf(environment.dataDir).runDir)).toBe(false);
  });

  it('ends everything when its terminal is closed, though nobody reads what it says', { timeout: 90_000 }, async () => {
    up = start([process.execPath, 'bin/uellm.js', 'up'], 'pipe');
    await served();
    const exited = once(up, 'exit');
    up.stdout!.destroy();
    up.stderr!.destroy();
    signalGroup('SIGHUP');
    expect(await exited).toEqual([0, null]);
    expect(remaining()).toEqual([]);
  });
});
