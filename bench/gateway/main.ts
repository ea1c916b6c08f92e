/**
 * `npm run bench:gateway`: this gateway and other routers before the same mock engines: processor time per request, added latency, memory.
 * `routers.ts` is who is compared, `engine.ts` an engine, `load.ts` the load, `measure.ts`, `memory.ts` and `decision.ts` the parts,
 * `bars.ts` what is to be reached. Exit code 1 where an answer of ours was not whole. Linux only.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { invalidFlag, readFlags, runBench, wholeNumberFlag } from '../support/flags.ts';
import { judge, US } from './bars.ts';
import { mediansOf, renderBars, renderSeveral, renderSpreads, spreadsOf } from './report.ts';
import { DEFAULT_PEERS, PEERS, uellm } from './routers.ts';
import { PARTS, type Part, run } from './run.ts';
import { LIMIT, several } from './several.ts';

const SEVERAL = 'several';
const QUICK_PARTS: readonly Part[] = ['plain', 'streaming'];
/** The other takes minutes by itself. */
const DEFAULT_PARTS = PARTS.filter((part) => part !== 'memory');

function parseFlags() {
  const values = readFlags({
    quick: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    peers: { type: 'string' },
    'peer-policy': { type: 'string', default: 'round_robin' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    requests: { type: 'string', default: '1000000' },
    'requests-per-second': { type: 'string', default: '14' },
    only: { type: 'string' },
    tree: { type: 'string' },
    out: { type: 'string', default: 'bench/results' },
  });
  const { quick, out, only, tree } = values;
  // The gateways side by side have engines and a load of their own.
  if (only === SEVERAL) {
    const requestsPerSecond = wholeNumberFlag('--requests-per-second', values['requests-per-second'], 1, 1000);
    return { only: SEVERAL, out, tree, requestsPerSecond, seconds: wholeNumberFlag('--seconds', values.seconds ?? '40', 1, 600) } as const;
  }
  const wanted = values.peers?.split(',').filter((name) => name !== '') ?? (values.all ? PEERS.map((p) => p.name) : DEFAULT_PEERS);
  const peers = wanted.map((name) => known('--peers', name, PEERS, (p) => p.name));
  const parts =
    only?.split(',').map((name) => known('--only', name, PARTS, (part) => part, [SEVERAL])) ?? (quick ? QUICK_PARTS : DEFAULT_PARTS);
  return {
    only: null,
    out,
    name: only === undefined ? 'gateway' : `gateway-${parts.join('-')}`,
    options: {
      kinds: [uellm(tree), ...peers],
      parts,
      rounds: wholeNumberFlag('--rounds', values.rounds ?? (quick ? '1' : '3'), 1, 100),
      times: { warmSeconds: quick ? 1.5 : 2, seconds: wholeNumberFlag('--seconds', values.seconds ?? (quick ? '3' : '4'), 1, 600) },
      peerPolicy: values['peer-policy'] === 'default' ? null : values['peer-policy'],
      requests: wholeNumberFlag('--requests', values.requests, 1, 1e9),
    },
  };
}

/** @param besides what is allowed by itself */
function known<T>(flag: string, given: string, all: readonly T[], nameOf: (item: T) => string, besides: readonly string[] = []): T {
  const found = all.find((item) => nameOf(item) === given);
  if (found === undefined) throw invalidFlag(flag, given, [...all.map(nameOf), ...besides.map((name) => `${name} alone`)].join(', '));
  return found;
}

async function main(): Promise<void> {
  const flags = parseFlags();
  const began = Date.now();
  const log = (line: string) => console.error(`${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${line}`);
  if (flags.only === SEVERAL) {
    const { out, tree, seconds, requestsPerSecond } = flags;
    const results = await several({ tree, seconds, requestsPerSecond, log });
    const file = write(out, 'gateway-several', { seconds, requestsPerSecond, limit: LIMIT, results });
    console.log(`${renderSeveral(results, LIMIT)}\n\n${file}`);
    return;
  }
  const { options, out, name } = flags;
  const { rounds, absent, memory } = await run({ ...options, log });
  const spreads = spreadsOf(rounds);
  const bars = judge(mediansOf(spreads));
  const versions = Object.fromEntries(options.kinds.flatMap((kind) => (kind.package ? [[kind.name, kind.package.version]] : [])));
  const { peerPolicy, times } = options;
  const file = write(out, name, { versions, peerPolicy, times, absent, bars, spreads, memory, rounds });
  console.log(`${renderSpreads(spreads, absent, rounds)}\n\n${renderBars(bars)}\n\n${file}`);
  process.exitCode = rounds.some((r) => r.router === US && r.failed > 0) ? 1 : 0;
}

/** @returns the file */
function write(out: string, name: string, result: object): string {
  const machine = { cores: availableParallelism(), cpu: cpus()[0]?.model ?? '', node: process.version, loadAverage: loadavg()[0] };
  const file = join(out, `${name}.json`);
  mkdirSync(out, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ machine, ...result }, null, 1)}\n`);
  return file;
}

await runBench(main);
