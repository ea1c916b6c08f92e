/** uellm report value [--from TIME] [--to TIME] [--by line|deployment|policy|tenant] [--format table|csv|json|yaml] */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ValueReportPart } from '../../api/schema/index.ts';
import { action, type CommandContext } from '../command.ts';
import { parseDuration } from '../duration.ts';
import { FORMATS, type Format, type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';
import { valueText } from '../value-text.ts';

const PARTS: readonly ValueReportPart[] = ['line', 'deployment', 'policy', 'tenant'];

interface ReportOptions extends OutputOptions {
  from?: string;
  to?: string;
  by: ValueReportPart;
  format?: Format | 'csv';
}

export function addReport(program: Command, terminal: Terminal): void {
  const report = program.command('report').description('reports over a period');
  const value = withOutput(report.command('value'))
    .description('what serving cost and what it was worth, by deployment, SLO policy and tenant, and when each deployment pays for itself')
    .option('--from <time>', 'start: a time, a day (UTC), or so long ago: 7d (a day before the end)', parseTime)
    .option('--to <time>', 'end, likewise (now)', parseTime)
    .addOption(new Option('--by <part>', 'what a row of the CSV is').choices(PARTS).default('line'))
    .addOption(new Option('--format <format>', 'the same as -o, and csv').choices([...FORMATS, 'csv']))
    .action(action(terminal, reportValue));
  for (const option of ['format', 'output', 'json']) value.on(`option:${option}`, () => refuseOtherForm(value));
}

/** `--format` and `-o` say the same thing, or there is no knowing which is meant. */
function refuseOtherForm(command: Command): void {
  const { format, json, output } = command.opts<{ format?: string; json?: boolean; output: Format }>();
  const given = json ? 'json' : command.getOptionValueSource('output') === 'cli' ? output : undefined;
  if (format === undefined || given === undefined || format === given) return;
  command.error(`error: options '--format ${format}' and '${json ? '--json' : `-o ${output}`}' ask for two forms of one result`);
}

async function reportValue({ client, terminal }: CommandContext, { from, to, by, format, output }: ReportOptions): Promise<void> {
  if (format === 'csv') {
    terminal.out(await client.valueReportCsv({ from, to, by }));
    return;
  }
  const report = await client.valueReport({ from, to });
  print(terminal, { output: format ?? output }, report, () => valueText(report, { columns: terminal.columns(), colour: terminal.colour }));
  for (const { message, nearest } of report.refusals) terminal.err(`note: ${message}${nearest ? `; ${nearest}` : ''}\n`);
  for (const note of report.notes) terminal.err(`note: ${note}\n`);
  if (report.deployments.length > 0 && report.deployments.every((d) => d.spentUsd === null)) terminal.setExitCode(1);
}

/** @returns as ISO 8601 */
function parseTime(text: string): string {
  if (/^\d+[smhd]$/.test(text)) return new Date(Date.now() - parseDuration(text) * 1000).toISOString();
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : new Date(Number.NaN);
  // JavaScript takes 30 February for 2 March.
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(at.getTime()) || day.toISOString().slice(0, 10) !== text.slice(0, 10))
    throw new InvalidArgumentError('It is a time such as 2026-01-31T12:00:00Z, a day such as 2026-01-31, or so long ago: 24h, 7d.');
  return at.toISOString();
}
