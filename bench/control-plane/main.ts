/**
 * `npm run bench:control-plane`: fleets of 20, 60 and 200 hosts, half as many deployments rolled out at once: time until all serve, and what
 * the control plane takes for it. `measure.ts` is one round, `stand-in.ts` the engines, `usage.ts` reads /proc, `growth.ts` compares.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFlags, runBench, wholeNumberFlag } from '../support/flags.ts';
import { growthOf } from './growth.ts';
import { measureRound, type Round } from './measure.ts';
import { LABEL, renderGrowth, renderRounds } from './report.ts';

await runBench(async () => {
  const values = readFlags({
    hosts: { type: 'string', default: '20,60,200' },
    rounds: { type: 'string', default: '1' },
    out: { type: 'string', default: 'bench/results' },
  });
  const sizes = values.hosts.split(',').map((text) => 2 * wholeNumberFlag('--hosts', String(Number(text) / 2), 1, 500));
  const rounds = wholeNumberFlag('--rounds', values.rounds, 1, 100);

  const measured: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const hosts of sizes) {
      measured.push(await measureRound(hosts, (line) => console.error(`round ${round}: ${line}`)));
      mkdirSync(values.out, { recursive: true });
      const result = { label: LABEL, growth: growthOf(measured), rounds: measured };
      writeFileSync(join(values.out, 'control-plane.json'), `${JSON.stringify(result, null, 1)}\n`);
    }
  }
  const growth = growthOf(measured);
  console.log(`${LABEL}\n\n${renderRounds(measured)}\n\n${renderGrowth(growth)}`);
  const unserved = measured.some((r) => r.outcomes.serving !== r.deployments);
  const toLargest = growth.filter((g) => g.hosts === growth.at(-1)?.hosts);
  process.exit(unserved || toLargest.some((g) => g.overLinear > 1) ? 1 : 0);
});
