/** uellm schedule [NAME] [--every DURATION] [--pause | --resume] [--note TEXT] */
import { Argument, type Command, Option } from 'commander';
import type { ScheduleInput, ScheduleResource } from '../../api/schema/index.ts';
import { UellmError } from '../../core/domain/errors.ts';
import { action, type CommandContext } from '../command.ts';
import { parseDuration } from '../duration.ts';
import { CommandFailed } from '../failure.ts';
import { NONE } from '../output/figures.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import { renderTable } from '../output/table.ts';
import type { Terminal } from '../terminal.ts';

interface ScheduleOptions extends OutputOptions {
  every?: number;
  pause?: boolean;
  resume?: boolean;
  note?: string;
}

export function addSchedule(program: Command, terminal: Terminal): void {
  withOutput(program.command('schedule'))
    .description('what runs by itself and how often; with options, change one of them')
    .addArgument(new Argument('[name]', 'which one; all of them without it').choices(['rebalance', 'monitor']))
    .option('--every <duration>', 'from one run to the next: 90s, 10m, 2h', parseDuration)
    .addOption(new Option('--pause', 'run no more until it is resumed').conflicts('resume'))
    .option('--resume', 'let it run again')
    .option('--note <text>', 'why')
    .action(action(terminal, schedule));
}

async function schedule({ client, terminal }: CommandContext, name: string | undefined, options: ScheduleOptions): Promise<void> {
  const { every, pause, resume, note } = options;
  const change: ScheduleInput = {
    ...(every !== undefined && { everySeconds: every }),
    ...((pause || resume) && { paused: pause === true }),
    ...(note !== undefined && { note }),
  };
  const show = (items: ScheduleResource[]) =>
    renderTable(
      ['NAME', 'EVERY', 'STATE', 'LAST RUN', 'NEXT RUN', 'NOTE'],
      items.map((s) => [s.name, `${s.everySeconds} s`, s.paused ? 'paused' : 'running', s.lastRunAt ?? NONE, s.nextRunAt ?? NONE, s.note]),
      { columns: terminal.columns(), colour: terminal.colour },
    );
  if (Object.keys(change).length === 0) {
    const { items } = await client.schedules();
    const wanted = items.filter((s) => name === undefined || s.name === name);
    if (name !== undefined && wanted.length === 0) throw new CommandFailed(`there is no schedule '${name}'`);
    return print(terminal, options, wanted, () => show(wanted));
  }
  if (name === undefined) {
    const issues = [{ field: 'name', given: 'nothing', allowed: 'rebalance or monitor, where one is to be changed' }];
    throw new UellmError({ kind: 'invalid-input', what: 'the command', issues });
  }
  const changed = await client.changeSchedule(name, change);
  print(terminal, options, changed, () => show([changed]));
}
