/** Two plans compared, as people read it: a line for each replica, then money and what is predicted. */
import type { PlanDiff } from '../api/schema/index.ts';
import { outlookLine, usdPerHour } from './details.ts';
import { NONE } from './output/figures.ts';
import { renderTable, type TableStyle } from './output/table.ts';

type Change = PlanDiff['changes'][number];

export function planDiffText({ from, to, changes, costUsdPerHour, deployments }: PlanDiff, style: TableStyle): string {
  const lines = [
    `from ${from.id} (${from.state}): ${from.report.summary}`,
    `to   ${to.id} (${to.state}): ${to.report.summary}`,
    `money: ${usdPerHour(costUsdPerHour.before)} -> ${usdPerHour(costUsdPerHour.after)}`,
    ...deployments.map(outlookLine),
  ].map((line) => `${line}\n`);
  if (changes.length === 0) return [...lines, 'every replica stands where it stood\n'].join('');
  const rows = changes.map((c) => [c.change, c.deployment, placeText(c.before), placeText(c.after), c.reasons.join('; ') || NONE]);
  return [...lines, renderTable(['CHANGE', 'DEPLOYMENT', 'BEFORE', 'AFTER', 'WHY'], rows, style)].join('');
}

function placeText(placed: Change['before']): string {
  return placed ? `${placed.replicaId} on ${placed.host} ${placed.acceleratorKind} [${placed.accelerators.join(',')}]` : NONE;
}
