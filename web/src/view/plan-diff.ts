/** Two plans compared, in words. */
import type { PlanDiff, PlanResource } from '../../../api/schema/index.ts';
import { dayAndClock } from './chart-text.ts';
import { usdPerHour } from './format.ts';
import type { Tone } from './tones.ts';

export type PlacementChange = PlanDiff['changes'][number];
type Placed = NonNullable<PlacementChange['before']>;

/** `2 × H100-SXM, revision 3` */
export function shapeText({ accelerators, acceleratorKind, revision }: Placed): string {
  return `${accelerators.length} × ${acceleratorKind}, revision ${revision}`;
}

export const CHANGE_TONES: Record<PlacementChange['change'], Tone> = { added: 'good', removed: 'warn', moved: 'busy', resized: 'busy' };

/** `$5.90/h → $7.49/h, $1.59 more an hour` */
export function costText({ before, after }: PlanDiff['costUsdPerHour']): string {
  if (before === null || after === null) return `${usdPerHour(before)} → ${usdPerHour(after)}`;
  const difference = Math.round((after - before) * 100) / 100;
  if (difference === 0) return `${usdPerHour(after)}, as before`;
  return `${usdPerHour(before)} → ${usdPerHour(after)}, $${Math.abs(difference).toFixed(2)} ${difference > 0 ? 'more' : 'less'} an hour`;
}

const LONGEST = 70;

/** A plan as a choice among others: when, and what it does. */
export function planChoice({ createdAt, report, state }: Pick<PlanResource, 'createdAt' | 'report' | 'state'>): string {
  const text = `${dayAndClock(Date.parse(createdAt) / 1000)} · ${state} · ${report.summary}`;
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
