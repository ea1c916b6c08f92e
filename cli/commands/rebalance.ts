/** uellm rebalance [--dry-run] [--watch] [--cancel] */
import { type Command, Option } from 'commander';
import type { PlanResource, Rebalance } from '../../api/schema/index.ts';
import { action, type CommandContext } from '../command.ts';
import { planLines } from '../details.ts';
import { CommandFailed } from '../failure.ts';
import { createProgress } from '../output/live.ts';
import { print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';
import { watch } from '../watch.ts';
import type { WatchOptions } from './deploy.ts';

export function addRebalance(program: Command, terminal: Terminal): void {
  withOutput(program.command('rebalance'))
    .description('place replicas anew where that serves demand better or costs less')
    .option('--dry-run', 'show what would move, and move nothing')
    .option('--watch', 'wait until it is over')
    .addOption(new Option('--cancel', 'end the one under way: what it has not moved yet stays where it was').conflicts(['dryRun', 'watch']))
    .action(action(terminal, rebalance));
}

async function rebalance(
  { client, terminal }: CommandContext,
  options: WatchOptions & { dryRun?: boolean; cancel?: boolean },
): Promise<void> {
  if (options.cancel) {
    const cancelled = await client.cancelRebalance();
    print(terminal, options, cancelled, () => `${cancelled.workflowId} is ending; what it had begun is undone\n`);
    return;
  }
  const started = await client.startRebalance(options.dryRun === true);
  // A dry run is asked for its answer; moves take as long as they take.
  if (!options.watch && !options.dryRun) {
    print(terminal, options, started, () => `${started.workflowId} started; uellm get plans shows what it does\n`);
    return;
  }
  const progress = createProgress(terminal, { resultOnly: options.output !== 'table' });
  const ended = await watch(progress, async () => {
    const now = await client.rebalance(started.workflowId);
    return now.state === 'running' ? undefined : now;
  });
  if (ended.failure !== null) throw new CommandFailed(`${ended.workflowId} failed: ${ended.failure}`);
  const planId = ended.result?.planId;
  const plan = planId ? await client.get('plans', planId) : null;
  print(terminal, options, { ...ended, plan }, () => resultText(ended, plan));
}

function resultText({ result }: Rebalance, plan: PlanResource | null): string {
  if (!result) return 'nothing is known of its result\n';
  return [`${result.outcome}: ${result.reason}`, ...(plan ? planLines(plan) : []), ''].join('\n');
}
