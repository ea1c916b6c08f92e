/** uellm mode DEPLOYMENT shadow|advise|auto */
import { Argument, type Command } from 'commander';
import { type DeploymentMode, deploymentModeSchema } from '../../core/domain/deployment.ts';
import { notFound } from '../../core/domain/errors.ts';
import { action, type CommandContext } from '../command.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';

/** What the mode does, once it is in force. */
export const MODES: Record<DeploymentMode, string> = {
  shadow: 'observed and predicted for; requests go in the order of their arrival, and nothing is moved',
  advise: 'scheduled; what would move it waits for approval',
  auto: 'scheduled and moved without asking',
};

export function addMode(program: Command, terminal: Terminal): void {
  withOutput(program.command('mode'))
    .description('how much of a deployment is left to uellm; in force at once, without a rollout')
    .argument('<deployment>', 'its name')
    .addArgument(new Argument('<mode>', 'the mode that it shall have').choices(deploymentModeSchema.options))
    .action(action(terminal, setMode));
}

async function setMode({ client, terminal }: CommandContext, name: string, mode: DeploymentMode, options: OutputOptions): Promise<void> {
  const found = await client.find('deployments', name);
  if (!found) throw notFound('deployment', name);
  const before = found.object.mode;
  const changed = before === mode ? found.object : await client.replace('deployments', name, { ...found.object, mode }, found.etag);
  print(terminal, options, changed, () => `${name}: ${before === mode ? mode : `${before} -> ${mode}`}: ${MODES[mode]}\n`);
}
