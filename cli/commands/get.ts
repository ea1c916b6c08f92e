/** uellm get KIND [NAME] */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Collection, Collections } from '../../api/client.ts';
import { action, type CommandContext } from '../command.ts';
import { detailsOf } from '../details.ts';
import { objectKindOf, parseKind } from '../kinds.ts';
import { type OutputOptions, print, toYaml, withOutput } from '../output/print.ts';
import { renderTable } from '../output/table.ts';
import type { Terminal } from '../terminal.ts';
import { VIEWS } from '../views.ts';

const MOST = 1000;

interface GetOptions extends OutputOptions {
  limit: number;
  where: Filter;
}

/** Of a list's own filters: `{ actor: 'admin' }`. */
type Filter = Record<string, string>;

export function addGet(program: Command, terminal: Terminal): void {
  withOutput(program.command('get'))
    .description('show objects: all of a kind, or one by name')
    .argument(
      '<kind>',
      'host, model, slo-policy, tenant, deployment, replica, plan, proposal, rollout, observation, correction, audit or key',
      parseKind,
    )
    .argument('[name]', 'name or id of one')
    .option('--limit <n>', 'so many at most', parseLimit, 100)
    .addOption(
      new Option('--where <field=value>', 'of all, only these; may be repeated, as in: get audit --where actor=admin --where kind=hosts')
        .argParser(parseFilter)
        .default({}, 'all of them'),
    )
    .action(action(terminal, get));
}

async function get(context: CommandContext, collection: Collection, name: string | undefined, options: GetOptions): Promise<void> {
  if (name === undefined) await getAll(context, collection, options);
  else await getOne(context, collection, name, options);
}

async function getAll<C extends Collection>({ client, terminal }: CommandContext, collection: C, options: GetOptions): Promise<void> {
  const page = await client.list(collection, { ...options.where, limit: options.limit });
  if (options.output === 'yaml') terminal.out(page.items.map((item) => toDocument(collection, item)).join('---\n'));
  else print(terminal, options, page, () => tableOf(terminal, collection, page.items));
  if (page.next && options.output === 'table') terminal.err(`there are more: --limit takes up to ${MOST}\n`);
}

async function getOne<C extends Collection>(
  { client, terminal }: CommandContext,
  collection: C,
  name: string,
  options: GetOptions,
): Promise<void> {
  const item = await client.get(collection, name);
  if (options.output === 'yaml') terminal.out(toDocument(collection, item));
  else
    print(
      terminal,
      options,
      item,
      () =>
        tableOf(terminal, collection, [item]) +
        detailsOf(collection, item, terminal.colour, Date.now())
          .map((line) => `  ${line}\n`)
          .join(''),
    );
}

/** YAML that `apply` takes again, where the kind is one that people declare. */
function toDocument<C extends Collection>(collection: C, item: Collections[C]): string {
  const kind = objectKindOf(collection);
  return toYaml(kind ? { kind, ...item } : item);
}

function tableOf<C extends Collection>(terminal: Terminal, collection: C, items: readonly Collections[C][]): string {
  if (items.length === 0) return `no ${collection}\n`;
  const { header, row } = VIEWS[collection];
  const now = Date.now();
  return renderTable(
    header,
    items.map((item) => row(item, now)),
    { columns: terminal.columns(), colour: terminal.colour },
  );
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST) throw new InvalidArgumentError(`A whole number from 1 to ${MOST}.`);
  return limit;
}

/** Which fields there are is the API's to say. */
function parseFilter(text: string, filters: Filter): Filter {
  const [, field, value] = /^([A-Za-z]+)=(.+)$/s.exec(text) ?? [];
  if (field === undefined || value === undefined || field === 'limit') throw new InvalidArgumentError('It is FIELD=VALUE.');
  return { ...filters, [field]: value };
}
