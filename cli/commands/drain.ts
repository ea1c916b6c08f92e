/** uellm drain HOST [--watch] [--deadline DURATION --on-deadline POLICY], uellm uncordon HOST */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ApiClient, ApiProblem } from '../../api/client.ts';
import type { Drain, DrainInput } from '../../api/schema/index.ts';
import { counted } from '../../core/domain/counted.ts';
import { type DeadlinePolicy, deadlinePolicySchema } from '../../core/domain/drain.ts';
import { action, type CommandContext } from '../command.ts';
import { drainReasons, openLines, receiptLines } from '../details.ts';
import { parseDuration } from '../duration.ts';
import { CommandFailed } from '../failure.ts';
import { bar } from '../output/bar.ts';
import { paint, toneOf } from '../output/colour.ts';
import { createProgress, type Progress } from '../output/live.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';
import { watch } from '../watch.ts';
import type { WatchOptions } from './deploy.ts';

export function addDrain(program: Command, terminal: Terminal): void {
  withOutput(program.command('drain'))
    .description('move everything off a host without dropping a request')
    .argument('<host>', 'name of the host')
    .option('--watch', 'show how it goes until the host is drained; exit 1 if it is blocked')
    .option('--deadline <duration>', 'by when it should be over: 90s, 10m, 2h', parseDuration)
    .addOption(
      new Option(
        '--on-deadline <policy>',
        'wait for what still runs, migrate it (end it there, try it elsewhere), or abort the drain',
      ).choices(deadlinePolicySchema.options),
    )
    .option('--max-unavailable <replicas>', 'how many replicas of a deployment may be missing meanwhile (0)', parseCount)
    .action(action(terminal, drain));
  withOutput(program.command('uncordon'))
    .description('let a host take work again; a drain that is running is cancelled')
    .argument('<host>', 'name of the host')
    .action(
      action(terminal, async ({ client }, host: string, options: OutputOptions) => {
        const answer = await client.uncordon(host);
        const cancelled =
          answer.status.service === 'schedulable' ? 'takes work again' : 'takes work again as soon as its drain has stopped';
        print(terminal, options, answer, () => `host '${host}' ${cancelled}\n`);
      }),
    );
}

interface DrainFlags extends WatchOptions {
  deadline?: number;
  onDeadline?: DeadlinePolicy;
  maxUnavailable?: number;
}

function inputOf({ deadline, onDeadline, maxUnavailable }: DrainFlags): DrainInput {
  return {
    ...(deadline !== undefined && { deadlineSeconds: deadline }),
    ...(onDeadline !== undefined && { onDeadline }),
    ...(maxUnavailable !== undefined && { maxUnavailable }),
  };
}

function parseCount(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError('It is a whole number of replicas.');
  return Number(text);
}

async function drain({ client, terminal }: CommandContext, host: string, options: DrainFlags): Promise<void> {
  if (!options.watch) {
    const started = await client.startDrain(host, inputOf(options));
    print(terminal, options, started, () => `drain of ${host} started; follow it: uellm drain ${host} --watch\n`);
    return;
  }
  const progress = createProgress(terminal, { resultOnly: options.output !== 'table' });
  await startOrJoin(client, host, inputOf(options), progress);
  const ended = await followDrain(client, host, terminal, progress);
  if (!ended.receipt) {
    print(terminal, options, ended, () => ''); // people have seen it
    throw new CommandFailed(`drain of ${host} is ${ended.phase}: ${drainReasons(ended).join('; ')}`);
  }
  const { receipt } = ended;
  print(terminal, options, receipt, () => `${receiptLines(receipt).join('\n')}\n`);
}

/** A drain that runs already is watched instead of started; of one that has emptied the host meanwhile the receipt is shown. */
async function startOrJoin(client: ApiClient, host: string, input: DrainInput, progress: Progress): Promise<void> {
  try {
    await client.startDrain(host, input);
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.problem.status !== 409) throw error;
    const newest = await client.drain(host).catch(() => undefined);
    if (!newest?.running && newest?.phase !== 'drained') throw error;
    progress.note(newest.running ? `${error.problem.detail}: watching it` : error.problem.detail);
  }
}

function followDrain(client: ApiClient, host: string, terminal: Terminal, progress: Progress): Promise<Drain> {
  const began = Date.now();
  let most = 0;
  return watch(progress, async () => {
    const now = await client.drain(host);
    most = Math.max(most, now.remaining.length);
    const gone = most === 0 ? 0 : 1 - now.remaining.length / most;
    const seconds = ((Date.now() - began) / 1000).toFixed(1).padStart(6);
    const left = now.remaining.length > 0 ? ` (${counted(now.remaining.length, 'replica')} left)` : '';
    const [reason = '', ...waiting] = drainReasons(now);
    const head = (colour: boolean) => `${paint(now.phase, toneOf(now.phase), colour)}: ${reason}${left}`;
    const block = [
      `${seconds} s  ${bar(now.phase === 'drained' ? 1 : gone, terminal.colour)} ${head(terminal.colour)}`,
      ...openLines(now).map((line) => `          ${line}`),
      ...waiting.map((line) => `          ${line}`),
    ];
    progress.show(block, [head(false), ...waiting].join('; '));
    return now.running ? undefined : now;
  });
}
