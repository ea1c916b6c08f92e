/** uellm what-if [--hours H] [-f FILE ...] [--price KIND=USD] [--add FILE] [--remove HOST] [--replicas DEPLOYMENT=N] [--mode DEPLOYMENT=MODE] */
import { type Command, InvalidArgumentError } from 'commander';
import type { WhatIfInput } from '../../api/schema/index.ts';
import { type DeploymentMode, deploymentModeSchema } from '../../core/domain/deployment.ts';
import { UellmError } from '../../core/domain/errors.ts';
import type { DeclaredObject, ObjectKind } from '../../core/domain/objects.ts';
import { action, type CommandContext } from '../command.ts';
import { parseDocuments } from '../documents.ts';
import { parseReplayHours } from '../duration.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';
import { whatIfText } from '../what-if-text.ts';
import { readInput } from './apply.ts';

interface WhatIfOptions extends OutputOptions {
  hours: number;
  requests?: number;
  file: string[];
  add: string[];
  remove: string[];
  price: Record<string, number>;
  replicas: Record<string, number>;
  mode: Record<string, DeploymentMode>;
}

export function addWhatIf(program: Command, terminal: Terminal): void {
  withOutput(program.command('what-if'))
    .description("replay the last hours' requests under another SLO policy, at another price, on another fleet; changes nothing")
    .option('--hours <h>', 'so many hours back, up to 168', parseReplayHours, 1)
    .option('--requests <n>', 'at most so many requests; of more, stretches spread over the time (10,000 where absent)', parseCount)
    .option('-f, --file <file>', 'SLO policies as apply takes them; may be given several times; - reads standard input', collected, [])
    .option('--price <kind=usd>', 'price of one accelerator of a kind, USD an hour; several times for several kinds', amounts, {})
    .option('--add <file>', 'hosts as apply takes them; several times for several files', collected, [])
    .option('--remove <host>', 'without this host; several times for several', collected, [])
    .option('--replicas <deployment=n>', 'another number of replicas; several times for several deployments', counts, {})
    .option('--mode <deployment=mode>', 'another mode, such as chat=shadow; several times for several deployments', modes, {})
    .action(action(terminal, whatIf));
}

async function whatIf({ client, terminal }: CommandContext, options: WhatIfOptions): Promise<void> {
  const input: WhatIfInput = {
    windowSeconds: Math.max(1, Math.round(options.hours * 3600)),
    ...(options.requests === undefined ? {} : { requests: options.requests }),
    policies: await specsOf('SloPolicy', options.file, terminal),
    prices: options.price,
    addHosts: await specsOf('Host', options.add, terminal),
    removeHosts: options.remove,
    replicas: options.replicas,
    modes: options.mode,
  };
  const answer = await client.whatIf(input);
  print(terminal, options, answer, () => whatIfText(answer, { columns: terminal.columns(), colour: terminal.colour }));
}

type SpecOf<K extends ObjectKind> = Extract<DeclaredObject, { kind: K }>['spec'];

async function specsOf<K extends ObjectKind>(kind: K, files: readonly string[], terminal: Terminal): Promise<SpecOf<K>[]> {
  const specs: SpecOf<K>[] = [];
  for (const file of files) {
    for (const object of parseDocuments(await readInput(file, terminal), file)) {
      if (object.kind !== kind) throw otherKind(file, object.kind, kind);
      specs.push(object.spec as SpecOf<K>);
    }
  }
  return specs;
}

function otherKind(file: string, given: string, allowed: string): UellmError {
  return new UellmError({ kind: 'invalid-input', what: file, issues: [{ field: 'kind', given: JSON.stringify(given), allowed }] });
}

const collected = (text: string, before: string[]) => [...before, text];

function parseCount(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('A whole number from 1.');
  return Number(text);
}

/** What the names may be, and how much of each there may be, is the API's to say. */
function amounts(text: string, before: Record<string, number>): Record<string, number> {
  const [, name, amount] = /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('It is KIND=USD, such as H100-SXM=2.5.');
  return { ...before, [name]: Number(amount) };
}

function counts(text: string, before: Record<string, number>): Record<string, number> {
  const [, name, count] = /^([^=]+)=(\d+)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('It is DEPLOYMENT=N, such as chat=3.');
  return { ...before, [name]: Number(count) };
}

function modes(text: string, before: Record<string, DeploymentMode>): Record<string, DeploymentMode> {
  const [, name, given] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  const mode = deploymentModeSchema.safeParse(given);
  if (name === undefined || !mode.success)
    throw new InvalidArgumentError(`It is DEPLOYMENT=MODE, of ${deploymentModeSchema.options.join(', ')}.`);
  return { ...before, [name]: mode.data };
}
