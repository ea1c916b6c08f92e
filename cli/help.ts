/** What stands under an error of the command line itself, where commander names what was given and not always what is allowed. */
import type { Command } from 'commander';

/** Of a command and all below it. @param path as it is called: `uellm keys` */
export function pointToHelp(command: Command, path = command.name()): void {
  const isGroup = command.parent !== null && command.commands.length > 0 && command.registeredArguments.length === 0;
  const allowed = isGroup ? `allowed is one of ${command.commands.map((sub) => sub.name()).join(', ')}; ` : '';
  command.showHelpAfterError(`${allowed}see ${path} --help`);
  for (const sub of command.commands) pointToHelp(sub, `${path} ${sub.name()}`);
}
