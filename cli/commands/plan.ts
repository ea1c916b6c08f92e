/** uellm plan --fleet FILE --models FILE: which model goes on which accelerators, and what that costs */
import type { Command } from 'commander';
import { offlineAction } from '../command.ts';
import { withOutput } from '../output/print.ts';
import type { PlanOptions } from '../planning/plan.ts';
import type { Terminal } from '../terminal.ts';

export function addPlan(program: Command, terminal: Terminal): void {
  withOutput(program.command('plan'))
    .description('which model goes on which accelerators of a fleet, and what that costs; needs no installation')
    .requiredOption('--fleet <file>', 'hosts; YAML or JSON')
    .requiredOption('--models <file>', 'models, what is asked of them, and what is promised; YAML or JSON')
    .option(
      '--from <file>',
      'replicas that are there already (a plan, or a fleet file with replicas), or current: those of the installation',
    )
    .option('--exact', 'prove the least cost, however long it takes')
    .option('--simulation', 'try every chosen shape by simulation, however many there are (where they are few, they are tried anyway)')
    .option('--no-simulation', 'trust the closed form alone')
    .option('--accelerators <file>', 'kinds beside those of the catalog, or other figures for them (UELLM_ACCELERATORS_FILE)')
    .action(
      offlineAction(terminal, async (options: PlanOptions) => {
        // Loaded only when it runs: other commands have no use for a solver.
        const { planCommand } = await import('../planning/plan.ts');
        await planCommand(terminal, options);
      }),
    );
}
