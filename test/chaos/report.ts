/** What a run came to, for people. */
import type { ChaosResult } from './run.ts';

const SHOWN = 20;

export function isSound({ broken }: ChaosResult): boolean {
  return Object.values(broken).every((lines) => lines.length === 0);
}

export function renderChaos(result: ChaosResult, again: string): string {
  const { faults, operations, requests, retries, broken, disk } = result;
  const lines = [`seed ${result.seed}`, '', 'faults'];
  for (const [kind, outcomes] of sorted(faults)) lines.push(row(kind === 'fill-disk' ? `${kind} (${disk})` : kind, listOf(outcomes)));
  lines.push('', 'operations');
  for (const [kind, outcomes] of sorted(operations)) lines.push(row(kind, listOf(outcomes)));
  lines.push('', 'requests');
  for (const [verdict, count] of sorted(requests)) lines.push(row(verdict, String(count)));
  if (!requests.lost) lines.push(row('lost', '0'));
  lines.push(row('tried again before a token was sent', String(retries)), '', 'invariants');
  for (const [invariant, found] of Object.entries(broken)) {
    lines.push(row(invariant, found.length === 0 ? 'OK' : `BROKEN ${found.length} times`));
    for (const line of found.slice(0, SHOWN)) lines.push(`    ${line}`);
    if (found.length > SHOWN) lines.push(`    and ${found.length - SHOWN} more`);
  }
  if (!isSound(result)) lines.push('', `to repeat it: ${again}`);
  return lines.join('\n');
}

const row = (name: string, value: string) => `  ${name.padEnd(44)} ${value}`;
const listOf = (outcomes: Record<string, number>) =>
  sorted(outcomes)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ');
const sorted = <T>(record: Record<string, T>) => Object.entries(record).sort(([a], [b]) => a.localeCompare(b));
