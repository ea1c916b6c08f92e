/** uellm rollout (status|pause|resume|approve|abort|rollback [--to REVISION]) NAME [--watch] */
import { type Command, InvalidArgumentError } from 'commander';
import type { RolloutAction, RolloutResource } from '../../api/schema/index.ts';
import { isTerminalPhase } from '../../core/domain/rollout.ts';
import { action, type CommandContext } from '../command.ts';
import { stageLines } from '../details.ts';
import { CommandFailed } from '../failure.ts';
import { createProgress } from '../output/live.ts';
import { print, withOutput } from '../output/print.ts';
import { followRollout, newestRollout, requireEnd, rolloutLine } from '../rollouts.ts';
import type { Terminal } from '../terminal.ts';
import { rollOut, type WatchOptions } from './deploy.ts';

interface ActOptions extends WatchOptions {
  reason?: string;
}

const ACTIONS: Record<RolloutAction, string> = {
  pause: 'stop before the next step',
  resume: 'go on after a pause',
  approve: 'approve what waits for it',
  abort: 'stop, and go back to what served before',
};

export function addRollout(program: Command, terminal: Terminal): void {
  const rollout = program.command('rollout').description('look at rollouts, and steer them');
  subcommand(rollout, 'status', 'show how the newest rollout of a deployment stands').action(
    action(terminal, async (context, name: string, options: WatchOptions) => {
      await report(context, await newestRollout(context.client, name), options);
    }),
  );
  for (const verb of Object.keys(ACTIONS) as RolloutAction[]) {
    subcommand(rollout, verb, ACTIONS[verb])
      .option('--reason <text>', 'why; shown with the rollout')
      .action(
        action(terminal, async (context, name: string, options: ActOptions) => {
          const { id } = await newestRollout(context.client, name);
          const rollout = await context.client.actOnRollout(id, verb, options.reason);
          await report(context, rollout, options, verb === 'abort' ? 'rolled-back' : 'succeeded');
        }),
      );
  }
  subcommand(rollout, 'rollback', 'roll out an earlier revision')
    .option('--to <revision>', 'its number; the one that served before, where absent', parseRevision)
    .action(
      action(terminal, async (context, name: string, options: WatchOptions & { to?: number }) => {
        await rollOut(context, name, options.to ?? (await revisionBefore(context.client, name)), options);
      }),
    );
}

function subcommand(rollout: Command, name: string, description: string): Command {
  return withOutput(rollout.command(name))
    .description(description)
    .argument('<name>', 'name of the deployment')
    .option('--watch', 'show how it goes until it is over; exit 1 unless it succeeds, or is rolled back by an abort');
}

async function report(
  { client, terminal }: CommandContext,
  rollout: RolloutResource,
  options: WatchOptions,
  asked: 'succeeded' | 'rolled-back' = 'succeeded',
): Promise<void> {
  const { colour } = terminal;
  if (!options.watch) {
    print(terminal, options, rollout, () =>
      [rolloutLine(rollout, colour), ...stageLines(rollout.status, colour).map((line) => `  ${line}`), ''].join('\n'),
    );
    return;
  }
  const progress = createProgress(terminal, { resultOnly: options.output !== 'table' });
  const ended = await followRollout(client, rollout.id, terminal, progress);
  print(terminal, options, ended, () => ''); // people have seen it
  requireEnd(ended, asked);
}

/** The revision that was rolled out last with success, and is not the one that serves. */
async function revisionBefore(client: CommandContext['client'], name: string): Promise<number> {
  const { status } = await client.get('deployments', name);
  const running = (await client.list('rollouts', { deployment: name, limit: 1 })).items.find((r) => !isTerminalPhase(r.status.phase));
  if (running) {
    const current = status.currentRevision === null ? 'ends it' : `gives revision ${status.currentRevision} its traffic back`;
    throw new CommandFailed(`rollout ${running.id} is running: 'uellm rollout abort ${name}' ${current}; --to names another revision`);
  }
  const { items } = await client.list('rollouts', { deployment: name, phase: 'succeeded', limit: 100 });
  const before = items.find((rollout) => rollout.revision !== status.currentRevision);
  if (!before) throw new CommandFailed(`deployment '${name}' has no earlier revision that was rolled out: --to names one`);
  return before.revision;
}

function parseRevision(text: string): number {
  const revision = Number(text);
  if (!Number.isInteger(revision) || revision < 1) throw new InvalidArgumentError('A revision is a whole number from 1.');
  return revision;
}
