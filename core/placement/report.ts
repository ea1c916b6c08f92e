/** The report of a plan: the same sentences for operators, API, CLI and Temporal's UI. */
import type { PlanReport } from '../domain/plan.ts';
import { holdsAccelerators } from '../domain/replica.ts';
import { costPerHour } from './cost.ts';
import type { Draft } from './draft.ts';

export function reportOf(draft: Draft): PlanReport {
  const { input, moves, waiting } = draft;
  const holding = input.replicas.filter((r) => holdsAccelerators(r.state));
  const retired = new Set(moves.flatMap((m) => (m.kind === 'retire' ? [m.replicaId] : (m.replaces ?? []))));
  const placed = moves.filter((m) => m.kind === 'place');
  const before = costPerHour(holding, input.prices);
  const after = costPerHour([...holding.filter((r) => !retired.has(r.id)), ...placed], input.prices);
  const unpriced = [...new Set([...before.unpriced, ...after.unpriced])];
  return {
    summary: summaryOf(draft, placed.length, retired.size),
    reasons: [
      ...draft.reasons,
      ...(unpriced.length > 0 ? [`the cost is unknown: ${unpriced.join(', ')} has no price, neither in the catalog nor on the host`] : []),
    ],
    waiting,
    costUsdPerHourBefore: before.usdPerHour,
    costUsdPerHourAfter: after.usdPerHour,
  };
}

function summaryOf({ input, waiting }: Draft, placed: number, retired: number): string {
  const parts = [
    ...(placed > 0 ? [`places ${placed}`] : []),
    ...(retired > 0 ? [`retires ${retired}`] : []),
    ...(waiting.length > 0 ? [`cannot do ${waiting.length} yet`] : []),
  ];
  return `${input.purpose} ${input.subject}: ${parts.length > 0 ? parts.join(', ') : 'nothing to move'}`;
}
