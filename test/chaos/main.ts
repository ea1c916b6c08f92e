/** `npm run test:chaos -- [--seed N] [--minutes M] [--faults F] [--keep]`: the long form. Exit code 1 where anything is broken. */
import { parseArgs } from 'node:util';
import { isSound, renderChaos } from './report.ts';
import { runChaos } from './run.ts';

function numberOf(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= least) return value;
  console.error(`--${name}: got ${text}, allowed is a number of at least ${least}`);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '30' },
    faults: { type: 'string', default: '100' },
    keep: { type: 'boolean', default: false },
  },
});
const seed = numberOf('seed', values.seed, 0);
const minutes = numberOf('minutes', values.minutes, 0.1);
const faults = numberOf('faults', values.faults, 0);

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort());

const began = Date.now();
const result = await runChaos(
  {
    seed,
    forSeconds: minutes * 60,
    faults,
    longestCutSeconds: Math.min(90, minutes * 15),
    clientsPerDeployment: 6,
    restSeconds: 180,
    keep: values.keep,
    log: (line) => console.error(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`),
  },
  interrupted.signal,
);
console.log(renderChaos(result, `npm run test:chaos -- --seed ${seed} --minutes ${minutes} --faults ${faults}`));
process.exit(isSound(result) && !interrupted.signal.aborted ? 0 : 1);
