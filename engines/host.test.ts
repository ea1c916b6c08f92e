import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UellmError } from '../core/domain/errors.ts';
import { engineSpec, fakeDriver, type TestHosts, testHosts, until, untilReady } from '../test/engines/support.ts';
import type { EngineHost } from './host.ts';
import { allPids, isRunning, readProcessStat } from './process-identity.ts';

let hosts: TestHosts;
let host: EngineHost;
beforeEach(() => {
  hosts = testHosts();
  host = hosts.open([fakeDriver()]);
});
afterEach(() => hosts.end());

const alive = (state: { pid: number; processStartTime: string }) => isRunning({ pid: state.pid, startTime: state.processStartTime });
const kindOf = (error: unknown) => (error instanceof UellmError ? error.detail.kind : String(error));
const refusal = (promise: Promise<unknown>) => promise.then(() => 'done', kindOf);
const stateFile = (replicaId: string) => join(hosts.directory, 'engines', `${replicaId}.json`);

describe('start', () => {
  it('launches an engine that serves, and returns it when asked again', async () => {
    const first = await host.start(engineSpec());
    await untilReady(host, 'demo-1');
    const second = await host.start(engineSpec());
    expect(second.pid).toBe(first.pid);
    expect(await host.list()).toMatchObject([{ replicaId: 'demo-1', generation: 1, endpoint: first.endpoint, state: 'running' }]);
  });

  it('launches once when asked ten times at once', async () => {
    const states = await Promise.all(Array.from({ length: 10 }, () => host.start(engineSpec())));
    expect(new Set(states.map((s) => s.pid)).size).toBe(1);
  });

  it('adopts what an earlier host worker launched', async () => {
    const first = await host.start(engineSpec());
    const successor = hosts.open([fakeDriver()]);
    expect((await successor.start(engineSpec())).pid).toBe(first.pid);
    await untilReady(successor, 'demo-1');
    expect(await successor.stop('demo-1', 1)).toEqual({ requestsDropped: 0 });
    expect(alive(first)).toBe(false);
  });

  it('launches an engine that has exited again, on another port', async () => {
    const first = await host.start(engineSpec());
    process.kill(first.pid, 'SIGKILL');
    await until(() => !alive(first), 'the engine is gone');
    expect((await host.list())[0]).toMatchObject({ state: 'exited' });
    const second = await host.start(engineSpec());
    expect(second.pid).not.toBe(first.pid);
    expect(second.endpoint).not.toBe(first.endpoint);
  });

  it('ends the older generation first, and refuses it from then on', async () => {
    const first = await host.start(engineSpec());
    await untilReady(host, 'demo-1');
    const second = await host.start(engineSpec({ generation: 2 }));
    expect([alive(first), alive(second)]).toEqual([false, true]);
    expect(await refusal(host.start(engineSpec()))).toBe('stale-generation');
    expect(await refusal(host.stop('demo-1', 1))).toBe('stale-generation');
    expect(alive(second)).toBe(true);
  });

  it('refuses an older generation after the newer one was stopped, on any host worker', async () => {
    await host.start(engineSpec({ generation: 5 }));
    await host.stop('demo-1', 5);
    const successor = hosts.open([fakeDriver()]);
    expect(await refusal(successor.start(engineSpec({ generation: 4 })))).toBe('stale-generation');
    expect(await refusal(successor.start(engineSpec({ generation: 5 })))).toBe('conflict');
    expect(await refusal(successor.start(engineSpec({ generation: 6 })))).toBe('done');
  });

  it('refuses accelerators that another running engine holds', async () => {
    const first = await host.start(engineSpec({ accelerators: [0, 1] }));
    const clash = engineSpec({ replicaId: 'demo-2', accelerators: [1, 2] });
    await expect(host.start(clash)).rejects.toThrow(/h1\/1.*held by the engine of replica demo-1/);
    process.kill(first.pid, 'SIGKILL');
    await until(() => !alive(first), 'the engine is gone');
    expect(await refusal(host.start(clash))).toBe('done');
  });

  it('gives one of two that want the same accelerator at once', async () => {
    const both = ['a', 'b'].map((replicaId) => refusal(host.start(engineSpec({ replicaId }))));
    expect((await Promise.all(both)).sort()).toEqual(['conflict', 'done']);
  });

  it('names the command that cannot be run, and holds nothing for it', async () => {
    const broken = hosts.open([fakeDriver({ launch: async () => ({ command: '/no/such/engine', args: [], env: {} }) })]);
    await expect(broken.start(engineSpec())).rejects.toThrow(/demo-1 failed: .*\/no\/such\/engine.*ENOENT/);
    expect(await broken.list()).toEqual([]);
  });

  it('takes another port where the engine loses its own to someone else', async () => {
    const ports: number[] = [];
    const driver = fakeDriver();
    // Not a Node process: on a busy machine that takes longer to start than is waited for.
    const loser = { command: '/bin/sh', args: ['-c', 'echo "Error: listen EADDRINUSE: address already in use"; exit 1'], env: {} };
    const unlucky = hosts.open([
      fakeDriver({
        launch: async (spec, bind) => {
          ports.push(bind.port);
          return ports.length === 1 ? loser : driver.launch(spec, bind);
        },
      }),
    ]);
    const state = await unlucky.start(engineSpec());
    expect(new URL(state.endpoint).port).toBe(String(ports[1]));
    await untilReady(unlucky, 'demo-1');
  });

  it.each(['../evil', '', 'a/b', '.hidden'])('refuses the replica id %j', async (replicaId) => {
    expect(await refusal(host.start(engineSpec({ replicaId })))).toBe('invalid-input');
  });

  it('refuses an engine that it has no driver for', async () => {
    await expect(host.start(engineSpec({ engine: 'triton' }))).rejects.toThrow(/engine: got "triton", allowed is one of "simulated"/);
  });
});

describe('environment', () => {
  it('marks the engine, and keeps our own secrets from it', async () => {
    process.env.DATABASE_URL ??= 'postgres://secret';
    const state = await host.start(engineSpec({ generation: 3 }));
    const env = readFileSync(`/proc/${state.pid}/environ`, 'utf8').split('\0');
    expect(env).toEqual(expect.arrayContaining(['UELLM_REPLICA_ID=demo-1', 'UELLM_GENERATION=3', `UELLM_HOST_DIR=${hosts.directory}`]));
    expect(env.some((v) => v.startsWith('DATABASE_URL='))).toBe(false);
  });
});

describe('health', () => {
  it('tells of an engine that exited, with its code and last words', async () => {
    await host.start(engineSpec({ args: { mode: 'exit' } }));
    await until(async () => (await host.health('demo-1')).state === 'exited', 'it exits');
    expect(await host.health('demo-1')).toEqual({ state: 'exited', detail: expect.stringMatching(/code 3.*\n.*out of memory/) });
  });

  it('gives the end of a log, also of an engine that was stopped', async () => {
    await host.start(engineSpec());
    await untilReady(host, 'demo-1');
    await host.stop('demo-1', 1);
    const log = await host.log('demo-1', 1, 1024);
    expect(log.source).toMatch(/^demo-1\.g1\.\d+\.log$/);
    expect(log.lines).toHaveLength(1);
    expect(await refusal(host.log('demo-2', 1, 1024))).toBe('not-found');
  });

  it('does not take a recycled pid for the engine', async () => {
    const state = await host.start(engineSpec());
    const record = JSON.parse(readFileSync(stateFile('demo-1'), 'utf8'));
    writeFileSync(stateFile('demo-1'), JSON.stringify({ ...record, pid: process.pid }));
    expect((await host.health('demo-1')).state).toBe('exited');
    // Nor does stopping it end us; the engine itself is an orphan now.
    await host.stop('demo-1', 1);
    expect(alive(state)).toBe(false);
  });

  it('knows nothing of other replicas', async () => {
    expect(await refusal(host.health('demo-9'))).toBe('not-found');
  });
});

describe('stop', () => {
  const hold = (endpoint: string, ms: number) =>
    fetch(`${endpoint}/hold?ms=${ms}`).then(
      (r) => r.text(),
      () => 'cut off',
    );

  it('lets the engine finish what runs, once, and says what it waits for', async () => {
    const { endpoint, logFile } = await host.start(engineSpec());
    await untilReady(host, 'demo-1');
    const answers = [hold(endpoint, 1500), hold(endpoint, 1500)];
    await until(async () => (await (await fetch(`${endpoint}/metrics`)).text()).includes('} 2'), 'both run');
    const told: string[] = [];
    const onWait = (detail: string) => told.push(detail); // either may come first; the other waits for it
    const stopped = host.stop('demo-1', 1, { onWait });
    const again = host.stop('demo-1', 1, { onWait });
    expect(await Promise.all([stopped, again])).toEqual([{ requestsDropped: 0 }, { requestsDropped: 0 }]);
    expect(await Promise.all(answers)).toEqual(['done', 'done']);
    expect(told).toContainEqual(expect.stringMatching(/^2 requests are open; \d s of grace left$/));
    expect(readFileSync(logFile, 'utf8').match(/TERM/g)).toHaveLength(1);
    expect(await host.list()).toEqual([]);
  });

  it('kills what does not end within its grace, with its group, and counts what that cut off', async () => {
    const { endpoint } = await host.start(engineSpec({ args: { mode: 'stubborn' } }));
    await untilReady(host, 'demo-1');
    const answer = hold(endpoint, 60_000);
    await until(async () => (await (await fetch(`${endpoint}/metrics`)).text()).includes('} 1'), 'it runs');
    expect(await host.stop('demo-1', 1, { graceSeconds: 0.5 })).toEqual({ requestsDropped: 1 });
    expect(await answer).toBe('cut off');
  });

  it('counts what an engine drops that dies instead of finishing', async () => {
    const { endpoint } = await host.start(engineSpec({ args: { mode: 'crash-on-term' } }));
    await untilReady(host, 'demo-1');
    const answer = hold(endpoint, 60_000);
    await until(async () => (await (await fetch(`${endpoint}/metrics`)).text()).includes('} 1'), 'it runs');
    expect(await host.stop('demo-1', 1)).toEqual({ requestsDropped: 1 });
    expect(await answer).toBe('cut off');
  });

  it('can be given up and taken up again by a successor, with what is left of the grace and without a second TERM', async () => {
    const { endpoint, logFile } = await host.start(engineSpec());
    await untilReady(host, 'demo-1');
    const answer = hold(endpoint, 1000);
    await until(async () => (await (await fetch(`${endpoint}/metrics`)).text()).includes('} 1'), 'it runs');
    const giveUp = AbortSignal.timeout(300);
    await expect(host.stop('demo-1', 1, { signal: giveUp })).rejects.toThrow(/timeout/i);
    await hosts.open([fakeDriver()]).stop('demo-1', 1);
    expect(await answer).toBe('done');
    expect(readFileSync(logFile, 'utf8').match(/TERM/g)).toHaveLength(1);
  });

  it('is done at once for an engine that has died, and for one that never was', async () => {
    const state = await host.start(engineSpec());
    process.kill(state.pid, 'SIGKILL');
    await until(() => !alive(state), 'the engine is gone');
    expect(await host.stop('demo-1', 1)).toEqual({ requestsDropped: 0 });
    expect(await host.stop('never-1', 1)).toEqual({ requestsDropped: 0 });
    expect(await refusal(host.start(engineSpec({ replicaId: 'never-1' })))).toBe('conflict');
  });

  it('ends an engine of an older generation when a newer one is to be stopped', async () => {
    const state = await host.start(engineSpec({ generation: 2 }));
    await host.stop('demo-1', 4);
    expect(alive(state)).toBe(false);
    expect(await refusal(host.start(engineSpec({ generation: 3 })))).toBe('stale-generation');
  });

  it('leaves nothing of the group, also when its leader ends politely', async () => {
    const state = await host.start(engineSpec({ args: { mode: 'with-child' } }));
    await untilReady(host, 'demo-1');
    await until(() => membersOf(state.pid).length === 2, 'the child runs');
    await host.stop('demo-1', 1);
    expect(membersOf(state.pid)).toEqual([]);
  });

  it('stops all at once', async () => {
    const states = await Promise.all([0, 1, 2].map((i) => host.start(engineSpec({ replicaId: `demo-${i}`, accelerators: [i] }))));
    await host.stopAll({ graceSeconds: 2 });
    expect(states.map(alive)).toEqual([false, false, false]);
    expect(await host.list()).toEqual([]);
  });
});

describe('orphans', () => {
  it('ends a process whose launch was never written down, before its accelerators are used again', async () => {
    const state = await host.start(engineSpec());
    const { pid: _, processStartTime: __, ...intent } = JSON.parse(readFileSync(stateFile('demo-1'), 'utf8'));
    writeFileSync(stateFile('demo-1'), JSON.stringify({ ...intent, pid: null, processStartTime: null }));
    const successor = hosts.open([fakeDriver()]);
    expect(await successor.health('demo-1')).toEqual({ state: 'exited', detail: 'its launch was interrupted' });
    expect(await refusal(successor.start(engineSpec({ replicaId: 'demo-2' })))).toBe('done');
    expect(alive(state)).toBe(false);
  });

  it('survives a state file that was cut short: moves it aside, and ends its engine', async () => {
    const state = await host.start(engineSpec());
    writeFileSync(stateFile('demo-1'), readFileSync(stateFile('demo-1'), 'utf8').slice(0, 100));
    const successor = hosts.open([fakeDriver()]);
    expect(await successor.list()).toEqual([]);
    expect(readdirSync(join(hosts.directory, 'engines'))).toEqual([expect.stringMatching(/^demo-1\.json\.corrupt-\d+$/)]);
    await until(() => !alive(state), 'the sweep ends it');
    // The fence has a file of its own.
    expect(await refusal(successor.start(engineSpec({ generation: 0 })))).toBe('stale-generation');
  });

  it('takes the generation from the state file where the fence was cut short', async () => {
    await host.start(engineSpec({ generation: 3 }));
    writeFileSync(join(hosts.directory, 'fences', 'demo-1.json'), '{"genera');
    expect(await refusal(host.start(engineSpec({ generation: 2 })))).toBe('stale-generation');
  });

  it('finds workers that outlived their leader although they hide their environment', async () => {
    const state = await host.start(engineSpec({ args: { mode: 'with-child' } }));
    await untilReady(host, 'demo-1');
    await until(() => membersOf(state.pid).length === 2, 'the child runs');
    process.kill(state.pid, 'SIGKILL');
    await until(() => membersOf(state.pid).length === 1, 'the leader is gone');
    const next = await host.start(engineSpec({ generation: 2 }));
    expect(membersOf(state.pid)).toEqual([]);
    expect(alive(next)).toBe(true);
  });

  it('leaves engines of other host directories alone', async () => {
    const others = testHosts();
    const other = await others.open([fakeDriver()]).start(engineSpec());
    await host.start(engineSpec({ generation: 2 }));
    await host.stop('demo-1', 2);
    expect(alive(other)).toBe(true);
    await others.end();
    expect(alive(other)).toBe(false);
  });
});

function membersOf(group: number): number[] {
  return allPids().filter((pid) => readProcessStat(pid)?.group === group);
}

describe('reload', () => {
  it('keeps the process, takes the newer generation, and fences the older', async () => {
    const loaded: number[] = [];
    const reloading = () => fakeDriver({ reload: async (_, spec) => void loaded.push(spec.generation) });
    host = hosts.open([reloading()]);
    const first = await host.start(engineSpec());
    const next = engineSpec({ generation: 2 });
    expect(await host.reload(next)).toMatchObject({ pid: first.pid, spec: { generation: 2 } });
    await host.reload(next);
    expect(loaded).toEqual([2]);
    expect(await refusal(host.reload(engineSpec()))).toBe('stale-generation');
    expect(await refusal(host.stop('demo-1', 1))).toBe('stale-generation');
    // Marked as generation 1, it is owned all the same: a sweep of another replica's start leaves it alone.
    const successor = hosts.open([reloading()]);
    expect((await successor.start(next)).pid).toBe(first.pid);
    await successor.stop('other', 1);
    expect(alive(first)).toBe(true);
    await successor.stopAll({ graceSeconds: 0 });
    expect(alive(first)).toBe(false);
    expect(await refusal(successor.reload(next))).toBe('conflict');
  });

  it('that fails leaves the older generation in force', async () => {
    host = hosts.open([fakeDriver({ reload: () => Promise.reject(new Error('no room')) })]);
    const first = await host.start(engineSpec());
    await expect(host.reload(engineSpec({ generation: 2 }))).rejects.toThrow('no room');
    expect((await host.start(engineSpec())).pid).toBe(first.pid);
    expect(await host.stop('demo-1', 1)).toEqual({ requestsDropped: 0 });
  });

  it('is for engines that run, can do it, and keep their accelerators', async () => {
    expect(await refusal(host.reload(engineSpec()))).toBe('not-found');
    await host.start(engineSpec());
    expect(await refusal(host.reload(engineSpec({ generation: 2 })))).toBe('conflict');
    host = hosts.open([fakeDriver({ reload: async () => {} })]);
    expect(await refusal(host.reload(engineSpec({ generation: 2, accelerators: [1] })))).toBe('conflict');
  });
});

describe('ports', () => {
  it('are claimed together where an engine listens on several', async () => {
    const driver = () => fakeDriver({ portOffsets: [2] });
    host = hosts.open([driver()]);
    const ports = new Set<number>();
    for (let i = 0; i < 12; i++) {
      const { endpoint } = await host.start(engineSpec({ replicaId: `demo-${i}`, accelerators: [i] }));
      const port = Number(new URL(endpoint).port);
      for (const p of [port, port + 2]) {
        expect(ports).not.toContain(p);
        ports.add(p);
      }
    }
  });
});
