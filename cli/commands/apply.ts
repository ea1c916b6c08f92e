/** uellm apply -f FILE [--dry-run] */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ApiClient } from '../../api/client.ts';
import type { WhatIf } from '../../api/schema/index.ts';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import type { DeclaredObject } from '../../core/domain/objects.ts';
import { action, type CommandContext } from '../command.ts';
import { diffLines } from '../diff.ts';
import { parseDocuments } from '../documents.ts';
import { COLLECTIONS } from '../kinds.ts';
import { paint, toneOf } from '../output/colour.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { TableStyle } from '../output/table.ts';
import { checkReferences } from '../references.ts';
import type { Terminal } from '../terminal.ts';
import { policyTable } from '../what-if-text.ts';

interface ApplyOptions extends OutputOptions {
  file: string;
  dryRun?: boolean;
}

interface Applied {
  kind: string;
  name: string;
  action: 'created' | 'replaced' | 'unchanged';
  diff: string[];
}

export function addApply(program: Command, terminal: Terminal): void {
  withOutput(program.command('apply'))
    .description('declare the objects of a file: create what is missing, replace what differs')
    .requiredOption('-f, --file <file>', 'YAML or JSON, one or several documents; - reads standard input')
    .option('--dry-run', 'show what would change, and change nothing')
    .action(action(terminal, apply));
}

async function apply({ client, terminal }: CommandContext, options: ApplyOptions): Promise<void> {
  const file = options.file === '-' ? 'standard input' : options.file;
  const objects = parseDocuments(await readInput(options.file, terminal), file);
  for (const warning of await checkReferences(client, objects, file)) terminal.err(`warning: ${warning}\n`);
  const dryRun = options.dryRun === true;
  const items: Applied[] = [];
  let whatIf: WhatIf | undefined;
  try {
    for (const object of objects) items.push(await applyOne(client, object, dryRun));
    if (dryRun) whatIf = await policiesTried(client, objects, items, terminal);
  } finally {
    const result = { dryRun, items, ...(whatIf ? { whatIf } : {}) };
    // What was done before one was refused stays done, and is told.
    if (items.length > 0) print(terminal, options, result, () => text(terminal, items, options, whatIf));
  }
}

/** What the policies that differ would have made of the last hour's requests; a dry run is one without it, too. */
async function policiesTried(
  client: ApiClient,
  objects: readonly DeclaredObject[],
  items: readonly Applied[],
  terminal: Terminal,
): Promise<WhatIf | undefined> {
  const differs = (name: string) => items.some((item) => item.kind === 'SloPolicy' && item.name === name && item.action !== 'unchanged');
  const policies = objects.flatMap((object) => (object.kind === 'SloPolicy' && differs(object.spec.name) ? [object.spec] : []));
  if (policies.length === 0) return undefined;
  try {
    return await client.whatIf({ policies });
  } catch (error) {
    terminal.err(`warning: what would change for the last hour's requests is not known: ${messageOf(error)}\n`);
    return undefined;
  }
}

async function applyOne(client: ApiClient, { kind, spec }: DeclaredObject, dryRun: boolean): Promise<Applied> {
  const { name } = spec;
  const collection = COLLECTIONS[kind];
  const found = await client.find(collection, name);
  if (!found) {
    if (!dryRun) await client.create(collection, spec);
    return { kind, name, action: 'created', diff: diffLines({}, spec) };
  }
  const { status: _, ...present } = found.object;
  // A mode that the file does not name stays.
  const diff = diffLines(present, { ...('mode' in present ? { mode: present.mode } : {}), ...spec });
  if (diff.length === 0) return { kind, name, action: 'unchanged', diff };
  if (!dryRun) await client.replace(collection, name, spec, found.etag);
  return { kind, name, action: 'replaced', diff };
}

function text({ colour, columns }: Terminal, items: readonly Applied[], { dryRun }: ApplyOptions, whatIf: WhatIf | undefined): string {
  const lines = items.flatMap(({ kind, name, action: done, diff }) => [
    `${kind} '${name}' ${dryRun && done !== 'unchanged' ? 'would be ' : ''}${paint(done, toneOf(done), colour)}`,
    // Who takes a deployment out of shadow with a file should see it.
    ...(dryRun ? diff : done === 'replaced' ? diff.filter(isOfMode) : []).map((line) => `  ${line}`),
  ]);
  const waiting = items
    .filter(({ kind, action: done, diff }) => kind === 'Deployment' && (done === 'created' || !diff.every(isOfMode)))
    .map(({ name }) => name);
  const hint =
    dryRun || waiting.length === 0 ? [] : ['declared, not rolled out yet:', ...waiting.map((name) => `  uellm deploy ${name} --watch`)];
  const tried = whatIf ? ['', triedText(whatIf, { colour, columns: columns() }).trimEnd()] : [];
  return [...lines, ...tried, ...hint, ''].join('\n');
}

/** A line of a difference that is in force at once, and needs no rollout. */
const isOfMode = (line: string) => /^. mode: /.test(line);

function triedText(whatIf: WhatIf, style: TableStyle): string {
  const { policies, notes } = whatIf;
  return [policies.length > 0 ? policyTable(whatIf, style) : '', ...notes.map((note) => `note: ${note}\n`)].join('');
}

/** @throws invalid-input for a file that cannot be read */
export async function readInput(file: string, terminal: Terminal): Promise<string> {
  if (file === '-') return terminal.stdin();
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const issue = { field: '--file', given: JSON.stringify(file), allowed: `a file that can be read (${messageOf(error)})` };
    throw new UellmError({ kind: 'invalid-input', what: 'the command', issues: [issue] });
  }
}
