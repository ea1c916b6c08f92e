/** The roles of the command `uellm`, which run here. */
import { Command } from 'commander';
import { pointToHelp } from '../cli/help.ts';
import { nameSchema } from '../core/domain/names.ts';
import { parseInput } from '../core/domain/validate.ts';
import { acceleratorsFile, readEnvironment } from './environment.ts';

export function createRoles(): Command {
  const program = new Command('uellm').description('Control plane for fleets of LLM inference servers').exitOverride();

  // Whatever runs knows the installation's own accelerators before it reads anything that names one.
  program.hook('preAction', async () => {
    const file = acceleratorsFile();
    if (!file) return;
    const { useAccelerators } = await import('../cli/accelerators.ts');
    await useAccelerators(file, 'UELLM_ACCELERATORS_FILE');
  });

  // A role's module is loaded only when it runs: `uellm get` has no use for a Temporal worker.
  program
    .command('up')
    .description('run the whole system on this machine, with a simulated fleet and traffic to look at')
    .option('--fleet <file>', 'objects to declare instead of the demo fleet')
    .option('--trace <file>', 'requests to replay instead of generated ones')
    .option('--no-demo', 'neither the demo fleet nor any traffic')
    .option('--data-dir <dir>', 'where everything is kept (default: UELLM_DATA_DIR, else .uellm)')
    .action(async ({ dataDir, ...options }: { fleet?: string; trace?: string; demo: boolean; dataDir?: string }) => {
      const { runUp } = await import('./up.ts');
      const environment = readEnvironment(process.env, dataDir ? { UELLM_DATA_DIR: dataDir } : {});
      process.exit(await runUp(environment, { ...options, dataDirFrom: dataDir ? '--data-dir' : 'UELLM_DATA_DIR' }));
    });

  program
    .command('host')
    .description('run the worker of a GPU host: it starts and stops engines here')
    .requiredOption('--name <names>', 'name of this host; several, with commas between them, run as one process')
    .option('--probe', 'print what accelerators this host has, as a document for `uellm apply`, and do nothing else')
    .action(async ({ name, probe }: { name: string; probe?: boolean }) => {
      const names = name.split(',').map((n) => parseInput(nameSchema, n, 'flag --name'));
      if (probe) {
        const { printProbe } = await import('./host-probe.ts');
        process.exitCode = await printProbe(parseInput(nameSchema, name, 'flag --name'));
        return;
      }
      const { runHost } = await import('./host.ts');
      await runHost(readEnvironment(), names);
    });

  program
    .command('migrate')
    .description('bring the database to the schema of this version')
    .action(async () => (await import('./migrate.ts')).runMigrations(readEnvironment()));

  program
    .command('control')
    .description('run the worker that runs all workflows')
    .action(async () => (await import('./control.ts')).runControl(readEnvironment()));

  program
    .command('gateway')
    .description('run a gateway: the OpenAI-compatible data plane')
    .option('--config <file>', 'run alone: replicas and policies from a file, no Postgres, no Temporal')
    .action(async ({ config }: { config?: string }) => (await import('./gateway.ts')).runGateway(readEnvironment(), config));

  program
    .command('api')
    .description('run the admin API and the dashboard')
    .action(async () => (await import('./api.ts')).runApi(readEnvironment()));

  program
    .command('profiler')
    .description('run the profiler service; with a subcommand, ask about it')
    .action(async () => (await import('./profiler.ts')).runProfiler(readEnvironment()));

  pointToHelp(program);
  return program;
}
