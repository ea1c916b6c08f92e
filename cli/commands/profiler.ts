/** uellm profiler status, and profiler rollback --to VERSION; `profiler evaluate` has a file of its own */
import { type Command, InvalidArgumentError } from 'commander';
import type { ProfilerScore, ProfilerSnapshotResource, ProfilerStatus } from '../../api/schema/index.ts';
import { counted } from '../../core/domain/counted.ts';
import { action } from '../command.ts';
import { age, NONE, percent } from '../output/figures.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import { type Row, renderTable, type TableStyle } from '../output/table.ts';
import type { Terminal } from '../terminal.ts';
import { addProfilerEvaluate } from './profiler-evaluate.ts';

/** No more are counted by the API. */
const MOST_WAITING = 10_000;

/** Adds its commands to `uellm profiler`: the role of that name where the program has it, which runs without any of them. */
export function addProfiler(program: Command, terminal: Terminal): void {
  const role = program.commands.find((command) => command.name() === 'profiler');
  const profiler = role ?? program.command('profiler').description('how well answers are predicted, and going back to an earlier snapshot');
  withOutput(profiler.command('status'))
    .description('the snapshot in force, how its predictions fare for each model, and what was published lately')
    .action(
      action(terminal, async ({ client }, options: OutputOptions) => {
        const status = await client.profilerStatus();
        const style = { columns: terminal.columns(), colour: terminal.colour };
        print(terminal, options, status, () => statusText(status, style, Date.now()));
      }),
    );
  withOutput(profiler.command('rollback'))
    .description('put an earlier snapshot in force again, as a new version')
    .requiredOption('--to <version>', 'its version, see uellm profiler status', parseVersion)
    .action(
      action(terminal, async ({ client }, options: OutputOptions & { to: number }) => {
        const published = await client.rollBackProfiler(options.to);
        print(terminal, options, published, () => `version ${published.version} is in force, ${published.reason}\n`);
      }),
    );
  addProfilerEvaluate(profiler, terminal);
}

function statusText({ inForce, waiting, history }: ProfilerStatus, style: TableStyle, now: number): string {
  const more = waiting >= MOST_WAITING ? ' or more' : '';
  const waits = `${counted(waiting, 'observation')}${more} to be learned from`;
  if (!inForce) return `no snapshot was published yet: answers are predicted by published constants; ${waits}\n`;
  const { version, createdAt, trainedThroughId } = inForce;
  return [
    `version ${version} in force for ${age(createdAt, now)}, trained through observation ${trainedThroughId}, ${waits}\n`,
    scoresTable(inForce, style),
    renderTable(
      ['VERSION', 'AGE', 'REASON', 'FROM', 'ANSWERS', 'MAE', 'CONSTANT MEDIAN', 'COVERAGE 90'],
      history.map((s) => historyRow(s, now)),
      style,
    ),
  ].join('\n');
}

function scoresTable({ scores }: ProfilerSnapshotResource, style: TableStyle): string {
  if (!scores) return 'its scores are of another release\n';
  const models = Object.entries(scores.models);
  if (models.length === 0) return 'no answer was scored yet\n';
  const rows = models.map(([model, score]) => [model, ...scoreCells(score)]);
  if (models.length > 1) rows.push(['all', ...scoreCells(scores.all)]);
  return renderTable(['MODEL', 'ANSWERS', 'MAE', 'CONSTANT MEDIAN', 'COVERAGE 90'], rows, style);
}

function historyRow({ version, createdAt, reason, basedOn, scores }: ProfilerSnapshotResource, now: number): Row {
  const cells = scores ? scoreCells(scores.all) : [NONE, NONE, NONE, NONE];
  return [String(version), age(createdAt, now), reason || NONE, String(basedOn ?? NONE), ...cells];
}

function scoreCells({ observations, maeTokens, maeConstantMedianTokens, coverage90 }: ProfilerScore): string[] {
  return [String(observations), tokens(maeTokens), tokens(maeConstantMedianTokens), percent(coverage90)];
}

const tokens = (n: number | null) => (n === null ? NONE : `${n.toFixed(1)} tokens`);

function parseVersion(text: string): number {
  const version = Number(text);
  if (!Number.isInteger(version) || version < 1) throw new InvalidArgumentError('A version is a whole number from 1.');
  return version;
}
