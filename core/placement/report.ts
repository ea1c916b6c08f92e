/** The report of a plan: the same sentences for operators, API, CLI and Temporal's UI. */
import type { Move, PlanReport } from '../domain/plan.ts';
import { holdsAccelerators } from '../domain/replica.ts';
import { costPerHour } from './cost.ts';
import type { Draft } from './draft.ts';
import type { PlanInput } from './types.ts';

export function reportOf(draft: Draft): PlanReport {
  const { input, moves, waiting } = draft;
  const holding = input.replicas.filter((r) => holdsAccelerators(r.state));
  const retired = new Set(moves.flatMap((m) => (m.kind === 'retire' ? [m.replicaId] : (m.replaces ?? []))));
  const placed = moves.filter((m) => m.kind === 'place');
  const before = costPerHour(holding, input.prices);
  const after = costPerHour([...holding.filter((r) => !retired.has(r.id)), ...placed], input.prices);
  const unpriced = [...new Set([...before.unpriced, ...after.unpriced])];
  return {
    summary: summaryOf(draft),
    reasons: [
      ...draft.reasons,
      ...(unpriced.length > 0 ? [`the cost is unknown: ${unpriced.join(', ')} has no price, neither in the catalog nor on the host`] : []),
    ],
    waiting,
    costUsdPerHourBefore: before.usdPerHour,
    costUsdPerHourAfter: after.usdPerHour,
  };
}

/** With more moves than this the summary counts them; each is in the plan with its reason. */
const LISTED_MOVES = 3;

function summaryOf({ input, moves, waiting }: Draft): string {
  const listed = moves.length <= LISTED_MOVES ? moves.map((m) => describe(m, input)) : counted(moves);
  const parts = [...listed, ...(waiting.length > 0 ? [`cannot do ${waiting.length} yet`] : [])];
  return `${input.purpose} ${input.subject}: ${parts.length > 0 ? parts.join(', ') : 'nothing to move'}`;
}

function describe(move: Move, { replicas }: PlanInput): string {
  if (move.kind === 'retire') return `${move.deployment} off ${move.host}`;
  const to = `${move.host} (${move.accelerators.length} ${move.acceleratorKind})`;
  const from = replicas.find((r) => r.id === move.replaces)?.host;
  return from ? `${move.deployment} from ${from} to ${to}` : `${move.deployment} on ${to}`;
}

function counted(moves: readonly Move[]): string[] {
  const places = moves.filter((m) => m.kind === 'place');
  const replacing = places.filter((m) => m.replaces).length;
  const counts: [string, number][] = [
    ['moves', replacing],
    ['places', places.length - replacing],
    ['retires', moves.length - places.length],
  ];
  return counts.flatMap(([verb, count]) => (count > 0 ? [`${verb} ${count}`] : []));
}
