/**
 * `npm run bench:placement`: how far the fleet planner's plans are from the least cost, what others would pay for the same, how long large
 * fleets take, what it does where links are slow, and how well capacities match the simulator. bench/README.md has the options.
 *
 * `instances.ts` and `wishes.ts` make fleets and demands, `audit.ts` looks again at every plan, `peers/` has the others, `measure.ts`
 * measures one instance, `timing.ts` large ones, `slow-links.ts` L40S; `summary.ts` compares, `report.ts` shows.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadHighsSolver } from '../../core/placement/fleet/highs.ts';
import { runBench } from '../support/flags.ts';
import { benchCapacity } from './capacity.ts';
import { type Flags, parseFlags } from './flags.ts';
import { drawInstance } from './instances.ts';
import { measureInstance } from './measure.ts';
import { renderBars, renderCapacity, renderInstances, renderLinks, renderPeers, renderQuiet, renderTimes } from './report.ts';
import { measureSlowLinks } from './slow-links.ts';
import { type Bar, capacityBars, instanceBars, linkBars, summarise, timeBars } from './summary.ts';
import { timeFleet } from './timing.ts';

const LARGE_MODELS = 50;
const LOADS = [0.3, 0.5, 0.8];

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2));
  const { parts, only, quick, out } = flags;
  const solver = await loadHighsSolver();
  const file = join(out, `placement${quick ? '-quick' : ''}${only ? `-${only}` : ''}.json`);
  mkdirSync(out, { recursive: true });
  const results: Record<string, unknown> = {};
  const aims: Bar[] = [];
  // As soon as a part has ended: an interruption leaves what there is.
  const keep = (found: Record<string, unknown>, reached: readonly Bar[]) => {
    aims.push(...reached);
    Object.assign(results, found);
    writeFileSync(file, `${JSON.stringify({ aims, ...results }, null, 1)}\n`);
  };

  // First, while this process does nothing else.
  if (parts.has('time')) {
    const times = timesOf(flags);
    print(renderTimes(times), renderQuiet(times));
    keep({ times }, timeBars(times));
  }
  if (parts.has('instances')) {
    const instances = flags.seeds.map((seed) => measureInstance(drawInstance(seed), solver));
    const summary = summarise(instances);
    print(renderInstances(summary), renderPeers(summary));
    keep({ summary, instances }, instanceBars(summary));
  }
  if (parts.has('links')) {
    const slowLinks = measureSlowLinks(solver);
    print(renderLinks(slowLinks));
    keep({ slowLinks }, linkBars(slowLinks));
  }
  if (parts.has('capacity')) {
    console.error('simulating capacities: a few minutes');
    const capacity = benchCapacity({ share: flags.capacityShare, now: () => performance.now() });
    print(renderCapacity(capacity));
    keep({ capacity }, capacityBars(capacity));
  }
  print(renderBars(aims));
  console.log(`Every figure: ${file}`);
}

function timesOf({ largeFleets, rounds }: Flags) {
  return largeFleets.flatMap((hosts) => LOADS.map((load) => timeFleet({ hosts, models: LARGE_MODELS, load, seed: 1 }, rounds)));
}

function print(...blocks: string[]): void {
  console.log(`${blocks.join('\n\n')}\n`);
}

await runBench(main);
