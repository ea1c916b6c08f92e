/** uellm keys create --role viewer|operator|admin [--tenant T] [--name N] [--expires DURATION] [--offline], and `delete key` */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { KeyCreated, KeyInput } from '../../api/schema/index.ts';
import { KEY_LIFETIME_SECONDS, type Role, roleSchema } from '../../core/domain/access.ts';
import { action, offlineAction } from '../command.ts';
import { parseDuration } from '../duration.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';

/** Makes a key right in the database of DATABASE_URL, for an installation to which nobody has a key yet. */
export type CreateKeyOffline = (input: KeyInput) => Promise<KeyCreated>;

const SEE_ALSO = `
  uellm get keys [ID]       shows what keys there are, and when each was last used
  uellm delete key ID       revokes one`;

interface CreateOptions extends OutputOptions {
  role: Role;
  tenant?: string;
  name?: string;
  expires?: number;
  offline?: boolean;
}

export function addKeys(program: Command, terminal: Terminal, createOffline?: CreateKeyOffline): void {
  const keys = program
    .command('keys')
    .description('API keys: who may use the API and the gateway, and for which tenant')
    .addHelpText('after', SEE_ALSO);
  const create = withOutput(keys.command('create'))
    .description('make a key; it is shown this once')
    .addOption(
      new Option('--role <role>', 'viewer reads, operator also changes what runs, admin also holds the keys')
        .choices(roleSchema.options)
        .makeOptionMandatory(),
    )
    .option('--tenant <name>', 'the only tenant that it sees and sends requests for, one of uellm get tenants; the whole fleet without it')
    .option('--name <text>', 'what it is for')
    .option('--expires <duration>', 'when it runs out: 12h, 90d; never without it', parseLifetime);
  const online = action(terminal, async ({ client }, options: CreateOptions) =>
    show(terminal, options, await client.createKey(inputOf(options))),
  );
  if (!createOffline) {
    create.action(online);
    return;
  }
  const offline = offlineAction(terminal, async (options: CreateOptions) => show(terminal, options, await createOffline(inputOf(options))));
  create
    .option('--offline', 'ask no API, write to the database of DATABASE_URL: for the first key')
    .action((options: CreateOptions) => (options.offline ? offline : online)(options));
}

function inputOf({ role, tenant, name, expires }: CreateOptions): KeyInput {
  return {
    role,
    ...(tenant !== undefined && { tenant }),
    ...(name !== undefined && { name }),
    ...(expires !== undefined && { expiresInSeconds: expires }),
  };
}

/** The key alone on stdout, so that it can be piped; what is to be said of it goes to stderr. */
function show(terminal: Terminal, options: CreateOptions, created: KeyCreated): void {
  const { id, role, tenant, expiresAt, secret } = created;
  print(terminal, options, created, () => `${secret}\n`);
  const whose = tenant === null ? 'of the whole fleet' : `of tenant '${tenant}'`;
  terminal.err(`key ${id}: ${role} ${whose}${expiresAt ? `, until ${expiresAt}` : ''}. It is not shown again: only its hash is kept.\n`);
}

export function addDeleteKey(parent: Command, terminal: Terminal): void {
  withOutput(parent.command('key').alias('keys'))
    .description('revoke an API key')
    .argument('<id>', 'its id, see uellm get keys', parseId)
    .action(
      action(terminal, async ({ client }, id: string, options: OutputOptions) => {
        await client.revokeKey(id);
        print(terminal, options, { kind: 'keys', id: Number(id), action: 'revoked' }, () => `key ${id} revoked\n`);
      }),
    );
}

function parseLifetime(text: string): number {
  const seconds = parseDuration(text);
  const { min, max } = KEY_LIFETIME_SECONDS;
  if (seconds < min || seconds > max) throw new InvalidArgumentError(`A duration from ${min}s to ${max / 86_400}d.`);
  return seconds;
}

function parseId(text: string): string {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('An id is a whole number from 1.');
  return text;
}
