/**
 * The commands of `uellm` that talk to a running installation, by way of its admin API and nothing else; and those that need none
 * (`simulate`, `plan`, `profiler evaluate`). `commands/` has one file a command; `output/` tables, colours and progress; `simulation/` and `report/` are `simulate`'s,
 * `planning/` is `plan`'s. Results go to stdout, everything else to stderr. Exit codes: 0; 1 for a refusal or a
 * failure; 2 for bad usage. `bin/` makes the program, adds the roles, and ends the process.
 */
import type { Command } from 'commander';
import { addApply } from './commands/apply.ts';
import { addCompletion } from './commands/completion.ts';
import { addCost } from './commands/cost.ts';
import { addDelete } from './commands/delete.ts';
import { addDeploy } from './commands/deploy.ts';
import { addDiagnose } from './commands/diagnose.ts';
import { addDrain } from './commands/drain.ts';
import { addGet } from './commands/get.ts';
import { addKeys, type CreateKeyOffline } from './commands/keys.ts';
import { addLogs } from './commands/logs.ts';
import { addMode } from './commands/mode.ts';
import { addPilot } from './commands/pilot.ts';
import { addPlan } from './commands/plan.ts';
import { addPlans } from './commands/plans.ts';
import { addProfiler } from './commands/profiler.ts';
import { addRebalance } from './commands/rebalance.ts';
import { addReport } from './commands/report.ts';
import { addRollout } from './commands/rollout.ts';
import { addSchedule } from './commands/schedule.ts';
import { addSimulate } from './commands/simulate.ts';
import { addTop } from './commands/top.ts';
import { addWhatIf } from './commands/what-if.ts';
import { pointToHelp } from './help.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** What `bin/` lends to commands that can do without an installation, as it runs or not. */
export interface Offline {
  createKey?: CreateKeyOffline;
}

export function addClientCommands(program: Command, terminal: Terminal = processTerminal(), { createKey }: Offline = {}): void {
  for (const add of [
    addApply,
    addGet,
    addDelete,
    addDeploy,
    addRollout,
    addDrain,
    addRebalance,
    addSchedule,
    addTop,
    addLogs,
    addCost,
    addReport,
    addWhatIf,
    addDiagnose,
    addMode,
    addPilot,
    addProfiler,
    addSimulate,
    addPlan,
    addPlans,
  ])
    add(program, terminal);
  addKeys(program, terminal, createKey);
  addCompletion(program, terminal);
  program.addHelpText('after', ENVIRONMENT);
  pointToHelp(program);
}

const ENVIRONMENT = `
Environment of the commands that ask a running installation:
  UELLM_API_URL   where its admin API is (http://127.0.0.1:8080)
  UELLM_API_KEY   its key, where one is needed
  NO_COLOR        no colours

Of all commands:
  UELLM_ACCELERATORS_FILE   kinds of accelerators beside those of the catalog, or other figures for them`;
