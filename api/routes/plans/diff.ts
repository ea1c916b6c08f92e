/** Two plans compared: where the older left every replica, where the newer did, and what the plans from one to the other said. */

import { catalogPrices } from '../../../core/domain/accelerators.ts';
import { placementDiff } from '../../../core/domain/placement-diff.ts';
import type { DeploymentOutlook, Move } from '../../../core/domain/plan.ts';
import { costPerHour } from '../../../core/placement/cost.ts';
import type { Executor } from '../../../db/client.ts';
import { placementAfter, plansFrom } from '../../../db/queries/placement-history.ts';
import { declaredPrices } from '../../../db/queries/planning-reads.ts';
import type { PlanRow } from '../../../db/queries/plans.ts';
import type { PlanDiff } from '../../schema/index.ts';

export async function diffPlans(db: Executor, older: PlanRow, newer: PlanRow): Promise<Omit<PlanDiff, 'from' | 'to'>> {
  const plans = older.id === newer.id ? [] : await plansFrom(db, older, newer);
  const moves = plans.flatMap((plan) => plan.moves);
  const [before, after] = [await placementAfter(db, older), await placementAfter(db, newer)];
  const changes = placementDiff(before, after, successors(moves));
  const prices = { byKind: catalogPrices(), byHost: await declaredPrices(db) };
  const reasonOf = (replicaId: string | undefined) => moves.flatMap((move) => (move.replicaId === replicaId ? [move.reason] : []));
  return {
    plansBetween: Math.max(0, plans.length - 1),
    changes: changes.map((change) => ({
      ...change,
      reasons: [...new Set([...reasonOf(change.after?.replicaId), ...reasonOf(change.before?.replicaId)])],
    })),
    costUsdPerHour: { before: costPerHour(before, prices).usdPerHour, after: costPerHour(after, prices).usdPerHour },
    deployments: outlooks(plans),
  };
}

/** Who was to serve in whose place. */
function successors(moves: readonly Move[]): Map<string, string> {
  return new Map(
    moves.flatMap((move): [string, string][] => {
      if (move.kind === 'place') return move.replaces ? [[move.replaces, move.replicaId]] : [];
      return move.after?.[0] ? [[move.replicaId, move.after[0]]] : [];
    }),
  );
}

/** Of each deployment what the first plan that changed it found, and what the last one left. */
function outlooks(plans: readonly PlanRow[]): DeploymentOutlook[] {
  const known = new Map<string, DeploymentOutlook>();
  for (const outlook of plans.flatMap((plan) => plan.report.deployments ?? [])) {
    const before = known.get(outlook.deployment)?.before ?? outlook.before;
    known.set(outlook.deployment, { ...outlook, before });
  }
  return [...known.values()].sort((a, b) => (a.deployment < b.deployment ? -1 : 1));
}
