/** One round: an installation of so many hosts, half as many deployments at once, and what that takes. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endProcess, launch, waitUntilReady } from '../../bin/processes/launch.ts';
import { freePort } from '../../bin/processes/ports.ts';
import { plans, replicas, rollouts } from '../../db/schema/index.ts';
import { type Installation, startInstallation } from '../../test/support/installation.ts';
import { standInCommand } from './stand-in.ts';
import { type Usage, usageOf } from './usage.ts';

export interface Round {
  hosts: number;
  deployments: number;
  /** From the start of the host workers until all are heard of. */
  hostsAliveSeconds: number;
  /** From the first order to roll out until the last deployment serves. */
  allServingSeconds: number;
  /** Of each rollout, from its start to its end. */
  rolloutSeconds: number[];
  /** How rollouts ended → how many. */
  outcomes: Record<string, number>;
  /** Of its rollout and of what places its replica: what Temporal has to store, whatever else the machine does. */
  eventsPerDeployment: number;
  /** State → plans that were made. */
  plans: Record<string, number>;
  /** Stage → seconds that each rollout was in it. */
  stageSeconds: Record<string, number[]>;
  /** Process → what the rollouts took of it: processor seconds, and its most memory. */
  usage: Record<string, Usage>;
  /** Process → share of a core while nothing was asked for. */
  idleCores: Record<string, number>;
  /** Load of the machine at the start, one minute. */
  loadBefore: number;
}

/** The processes that make up the control plane, and then what stands around it. */
export const CONTROL_PLANE = ['control-1', 'api', 'postgres', 'temporal', 'profiler'] as const;
const AROUND = ['host-worker', 'stand-in'] as const;

const IDLE_SECONDS = 10;
/** Of the client that starts the rollouts; all of them then run at once. */
const CALLS_AT_ONCE = 16;
const LONGEST_MS = 15 * 60_000;
/** Adding up the pages of processes is work as well, for us and for them. */
const MEMORY_EVERY_MS = 5000;
const MODEL = 'tiny';
const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  num_hidden_layers: 16,
  hidden_size: 1024,
  num_attention_heads: 16,
  num_key_value_heads: 8,
  intermediate_size: 4096,
  vocab_size: 32_000,
  max_position_embeddings: 8192,
};

export async function measureRound(hosts: number, log: (line: string) => void): Promise<Round> {
  const directory = mkdtempSync(join(tmpdir(), 'uellm-bench-'));
  chmodSync(directory, 0o755); // Postgres may run as somebody else
  const loadBefore = Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
  const registryPort = await freePort();
  const standIn = await launch({
    name: 'stand-in',
    command: process.execPath,
    args: [fileURLToPath(new URL('./stand-in.js', import.meta.url)), String(registryPort)],
    env: process.env,
    logFile: join(directory, 'logs', 'stand-in.log'),
    stopSignal: 'SIGTERM',
    stopGraceSeconds: 5,
    readyWithinSeconds: 20,
  });
  let installation: Installation | undefined;
  try {
    await waitUntilReady(standIn);
    const names = Array.from({ length: hosts }, (_, i) => `h${String(i + 1).padStart(3, '0')}`);
    installation = await startInstallation({
      directory,
      hostWorkers: { 'host-worker': names },
      controls: 1,
      gateways: 0,
      cuttable: false,
      later: ['host-worker'],
      env: { UELLM_MONITOR_SECONDS: '0', UELLM_VLLM_COMMAND: standInCommand(directory, registryPort), UELLM_LOG_LEVEL: 'warn' },
    });
    return { hosts, ...(await rollOut(installation, names, standIn.pid, log)), loadBefore };
  } finally {
    await installation?.close();
    await endProcess(standIn, { signal: 'SIGTERM', graceSeconds: 2 });
    rmSync(directory, { recursive: true, force: true });
  }
}

function pidsOf(installation: Installation): Record<string, number> {
  return Object.fromEntries(
    [...CONTROL_PLANE, ...AROUND].flatMap((name) => {
      const pid = installation.processes.includes(name) ? installation.pidOf(name) : null;
      return pid === null ? [] : [[name, pid]];
    }),
  );
}

async function rollOut(
  installation: Installation,
  hosts: readonly string[],
  standInPid: number,
  log: (line: string) => void,
): Promise<Omit<Round, 'hosts' | 'loadBefore'>> {
  const { api, database } = installation;
  const { db } = database;
  const deployments = Array.from({ length: hosts.length / 2 }, (_, i) => `d${String(i + 1).padStart(3, '0')}`);
  await Promise.all(hosts.map((name) => api('POST', '/hosts', { name, accelerators: [{ kind: 'L4', count: 1, usdPerHour: 0.5 }] })));
  await api('POST', '/models', { name: MODEL, source: 'hf://example/tiny', config: CONFIG });
  const [replicaCount, demand] = [
    { min: 1, max: 1 },
    { requestsPerSecond: 0.1, inputTokens: 100, outputTokens: 100 },
  ];
  for (const name of deployments) {
    await api('POST', '/deployments', { name, model: MODEL, engine: { kind: 'vllm', args: {} }, replicas: replicaCount, demand });
  }
  const startedAt = performance.now();
  await installation.start('host-worker');
  await until('hosts that are alive', async () => {
    const rows = await db.query.hosts.findMany({ columns: { liveness: true } });
    return rows.every((row) => row.liveness === 'alive');
  });
  const hostsAliveSeconds = secondsSince(startedAt);
  log(`${hosts.length} hosts are alive after ${hostsAliveSeconds.toFixed(1)} s`);

  const pids = { ...pidsOf(installation), 'stand-in': standInPid };
  const beforeIdle = usages(pids);
  await delay(IDLE_SECONDS * 1000);
  const before = usages(pids);
  const idleCores = mapValues(before, (usage, name) => (usage.cpuSeconds - beforeIdle[name]!.cpuSeconds) / IDLE_SECONDS);

  const began = performance.now();
  const toStart = [...deployments];
  const startNext = async () => {
    for (let name = toStart.shift(); name; name = toStart.shift()) await api('POST', `/deployments/${name}/rollouts`);
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, startNext));
  log(`${deployments.length} rollouts are accepted after ${secondsSince(began).toFixed(1)} s`);
  const most = mapValues(before, (usage) => usage.memoryBytes);
  let lookedAtMs = 0;
  await until('the end of all rollouts', async () => {
    if (performance.now() - lookedAtMs > MEMORY_EVERY_MS) {
      for (const [name, { memoryBytes }] of Object.entries(usages(pids))) most[name] = Math.max(most[name]!, memoryBytes);
      lookedAtMs = performance.now();
    }
    const rows = await db.select({ endedAt: rollouts.endedAt }).from(rollouts);
    return rows.every((row) => row.endedAt !== null);
  });
  const allServingSeconds = secondsSince(began);
  const after = usages(pids);
  const ended = await db.select().from(rollouts);
  const serving = (await db.select({ state: replicas.state }).from(replicas)).filter((r) => r.state === 'ready').length;
  const made: Record<string, number> = {};
  for (const { state } of await db.select({ state: plans.state }).from(plans)) made[state] = (made[state] ?? 0) + 1;
  const outcomes: Record<string, number> = { serving };
  const stageSeconds: Record<string, number[]> = {};
  for (const { status } of ended) {
    outcomes[status.phase] = (outcomes[status.phase] ?? 0) + 1;
    for (const { stage, startedAtMs, endedAtMs } of status.stages) {
      if (startedAtMs !== null && endedAtMs !== null)
        stageSeconds[stage] = [...(stageSeconds[stage] ?? []), (endedAtMs - startedAtMs) / 1000];
    }
  }
  return {
    deployments: deployments.length,
    hostsAliveSeconds,
    allServingSeconds,
    rolloutSeconds: ended.map((r) => (r.endedAt!.getTime() - r.startedAt.getTime()) / 1000),
    outcomes,
    eventsPerDeployment: (await eventsOf(installation, deployments.length)) / deployments.length,
    plans: made,
    stageSeconds,
    usage: mapValues(after, (usage, name) => ({ cpuSeconds: usage.cpuSeconds - before[name]!.cpuSeconds, memoryBytes: most[name]! })),
    idleCores,
  };
}

/** Events of all rollouts and placements, once Temporal lists them as ended. */
async function eventsOf({ temporal }: Installation, rollouts: number): Promise<number> {
  let events = 0;
  await until('the list of ended rollouts', async () => {
    events = 0;
    let ended = 0;
    const query = "ExecutionStatus = 'Completed' and WorkflowType in ('deployModel', 'placeReplica')";
    for await (const { type, historyLength } of temporal.workflow.list({ query })) {
      events += historyLength;
      if (type === 'deployModel') ended += 1;
    }
    return ended >= rollouts;
  });
  return events;
}

const usages = (pids: Record<string, number>) => mapValues(pids, usageOf);
const secondsSince = (ms: number) => (performance.now() - ms) / 1000;

function mapValues<T, R>(record: Record<string, T>, map: (value: T, name: string) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + LONGEST_MS; !(await look()); await delay(500)) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
  }
}
