/**
 * `npm run bench:validation`: one trace through the discrete-event simulator, and in real time through a real gateway to engines that are
 * processes of their own. Both should attain the same, to 2 points.
 *
 *   --seconds <n>     of the trace, 75 where absent
 *   --attainment <x>  that the simulator says at the rate that is chosen for each policy, 0.94 where absent
 *   --seed <text>
 *
 * What limits it is this machine: real engines, gateway and client share its cores, and where those are busy, tokens come late. `late`
 * says by how much the client was, at most.
 */
import { numberFlag, readFlags, runBench, wholeNumberFlag } from '../support/flags.ts';
import { renderTable } from '../support/table.ts';
import { type Figures, figuresOf } from './outcome.ts';
import { startCluster } from './processes.ts';
import { replay } from './replay.ts';
import { requestsOf } from './scenario.ts';
import { rateAt, simulateScenario } from './simulate.ts';

const POLICIES = ['uellm', 'least-in-flight', 'shortest-predicted-ttft'] as const;
/** Another noise shows how much chance is in it. */
const SEEDS = [1, 2, 3, 4, 5];

async function main(): Promise<void> {
  const values = readFlags({
    seconds: { type: 'string', default: '75' },
    attainment: { type: 'string', default: '0.94' },
    seed: { type: 'string', default: 'validation' },
  });
  const seconds = wholeNumberFlag('--seconds', values.seconds, 1, 3600);
  const attainment = numberFlag('--attainment', values.attainment, (share) => share > 0 && share < 1, 'a share between 0 and 1');
  const rows: string[][] = [];
  for (const policy of POLICIES) {
    const load = (requestsPerSecond: number) => requestsOf({ requestsPerSecond, seconds, seed: values.seed });
    const rate = rateAt(attainment, (r) => simulateScenario(load(r), policy).attainment);
    const requests = load(rate);
    const simulated = SEEDS.map((seed) => simulateScenario(requests, policy, seed));
    const cluster = await startCluster(policy);
    const { outcomes, mostLateMs } = await replay(cluster.gatewayUrl, requests).finally(() => cluster.close());
    const attained = simulated.map((figures) => figures.attainment);
    const spread = `${percent(Math.min(...attained))} to ${percent(Math.max(...attained))}`;
    rows.push([policy, rate.toFixed(2), 'simulated', ...cells(simulated[0]!), spread]);
    rows.push([policy, rate.toFixed(2), 'real', ...cells(figuresOf(outcomes)), `late ${mostLateMs.toFixed(0)} ms`]);
    console.error(`${policy}: done`);
  }
  const quantiles = ['p50', 'p90', 'p99'];
  const header = [
    'policy',
    'requests/s',
    '',
    'requests',
    'attained %',
    ...['TTFT', 'TPOT'].flatMap((of) => quantiles.map((q) => `${of} ${q}`)),
    '',
  ];
  console.log(renderTable(header, rows));
}

function cells({ requests, attainment, ttftMs, tpotMs }: Figures): string[] {
  const ms = [ttftMs.p50, ttftMs.p90, ttftMs.p99, tpotMs.p50, tpotMs.p90, tpotMs.p99];
  return [String(requests), percent(attainment), ...ms.map((value) => value.toFixed(value < 200 ? 1 : 0))];
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

await runBench(main);
