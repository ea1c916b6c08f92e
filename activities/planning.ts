/** Planning: load, plan, verify, save. Workflows carry the plan's id and its moves, never the fleet. */
import { isDeepStrictEqual } from 'node:util';
import type { ModelShape } from '../core/domain/model-spec.ts';
import type { Plan, PlanPurpose, PlanSummary } from '../core/domain/plan.ts';
import type { Refusal } from '../core/domain/refusal.ts';
import { holdsOnRebalance } from '../db/queries/holds.ts';
import {
  type AppliedPlan,
  abandonMoves,
  applyPlan,
  endMoves,
  hostStates,
  latestAppliedPlan,
  loadPlan,
  lockPlanning,
  newestPlanOf,
  savePlan,
} from '../db/queries/plans.ts';
import type { ControlDeps } from './deps.ts';
import { loadPlanInput, type PlanRequest } from './planning-input.ts';

export function createPlanningActivities(deps: ControlDeps) {
  const { db, profileShapes } = deps;
  return {
    /** Asks the profiler which shapes of the model fit which accelerators of the fleet, and how fast their steps are. */
    async profileModel(shape: ModelShape): Promise<string> {
      const kinds = [...new Set((await hostStates(db)).flatMap((h) => h.accelerators))].sort();
      const fitting = (await profileShapes(shape, kinds)).filter((p) => p.kvCacheTokens > 0);
      if (fitting.length === 0) return `fits no shape of ${kinds.join(', ') || 'an empty fleet'}`;
      return fitting
        .map(
          (p) =>
            `${p.accelerator} x${p.tensorParallel}: ${Math.round(p.kvCacheTokens / 1000)}k tokens of KV, ${p.decodeStepMs.toFixed(1)} ms a step (${p.source})`,
        )
        .join('; ');
    },

    async planPlacement(request: PlanRequest): Promise<PlanSummary> {
      const saved = await loadPlan(db, request.planId).catch(() => undefined);
      if (saved) return summarise(saved);
      return db.transaction(async (tx) => {
        await lockPlanning(tx);
        const input = await loadPlanInput(tx, deps, request);
        const { moves, report } = await deps.plan(input);
        const basedOn = await latestAppliedPlan(tx);
        const state = request.dryRun ? 'dry-run' : moves.length === 0 && report.waiting.length > 0 ? 'refused' : 'proposed';
        if (state === 'refused') {
          // Looking again every few seconds, a wait finds the same again and again: one row tells it.
          const before = await newestPlanOf(tx, request.purpose, request.subject);
          if (before?.state === 'refused' && isDeepStrictEqual(before.report.waiting, report.waiting)) return summarise(before);
        }
        const made = { id: request.planId, purpose: request.purpose, subject: request.subject, basedOn, moves, report };
        // A rebalance that finds nothing to do leaves no row behind: there is one every few minutes.
        if (request.purpose !== 'rebalance' || request.dryRun || moves.length + report.waiting.length > 0) await savePlan(tx, made, state);
        return summarise(made);
      });
    },

    /** Verifies a plan again against the present and reserves what still fits. */
    async applyPlan(planId: string): Promise<AppliedPlan> {
      return applyPlan(db, planId, deps.maxMoving);
    },

    /** These replicas are not moving any more: their move is done, or called off. */
    async endMoves(replicaIds: string[]): Promise<void> {
      await endMoves(db, replicaIds);
    },

    /** What earlier plans of this purpose and subject had begun and nobody carries out any more is given up. */
    async abandonMoves(purpose: PlanPurpose, subject: string): Promise<void> {
      await abandonMoves(db, purpose, subject);
    },

    /** The rollouts and drains that a rebalance leaves alone now. */
    async rebalanceHolds(): Promise<Refusal[]> {
      return (await holdsOnRebalance(db)).map((hold) => hold.refusal);
    },
  };
}

export function summarise({ id, moves, report }: Pick<Plan, 'id' | 'moves' | 'report'>): PlanSummary {
  return {
    planId: id,
    places: moves.filter((m) => m.kind === 'place'),
    retires: moves.filter((m) => m.kind === 'retire'),
    waiting: report.waiting,
    summary: report.summary,
  };
}
