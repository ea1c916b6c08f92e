/**
 * Saves money when all is quiet: the fleet planner looks for the few moves that lower the cost by more than they cost themselves. New
 * replicas serve before old ones leave, and what is left serves a quarter more than is asked, so that a demand that flaps by 10 % does
 * not undo it.
 */
import { type Candidate, hostsThatFit } from '../choose.ts';
import { type Draft, presentReplicas, reaches, retire, totalCapacity, type Unit, unitOf } from '../draft.ts';
import { type FleetPlan, type FleetReplica, planFleet } from '../fleet/fleet-plan.ts';
import { movePricePerHour } from '../fleet/move-cost.ts';
import { ampleGoal, leastGoal } from '../goals.ts';
import { record } from '../place.ts';
import type { DeploymentDemand } from '../types.ts';

/** A deployment at rest, and the replicas that it has. */
interface Resting {
  deployment: DeploymentDemand;
  units: Unit[];
}

/** What the fleet planner would change of one deployment. */
interface Exchange extends Resting {
  placed: FleetReplica[];
  leaving: Unit[];
}

export function economise(draft: Draft): void {
  const { solver, input } = draft;
  if (!solver || draft.movesLeft === 0 || draft.moves.length + draft.waiting.length > 0) return;
  let resting = input.deployments.flatMap((d) => restingUnits(draft, d));
  while (resting.length > 0) {
    const deployments = resting.map(withHeldDemand);
    const better = planFleet({ ...input, deployments }, solver, { priceMoves: true, mostMoves: draft.movesLeft });
    const exchanges = exchangesOf(resting, better);
    if (better.refusals.length > 0 || saving(draft, exchanges) <= 0) return;
    const spoilt = exchanges.filter((e) => losesSpread(e) || breaksLastWhole(draft, e));
    if (spoilt.length === 0) {
      carryOver(draft, exchanges);
      return;
    }
    resting = resting.filter((r) => !spoilt.some((s) => s.deployment === r.deployment));
  }
}

/** Everything of it serves, on hosts that are open, and suffices. */
function restingUnits(draft: Draft, deployment: DeploymentDemand): Resting[] {
  const { current, lost, older, newer, draining, moving } = presentReplicas(draft, deployment);
  const open = new Set(hostsThatFit(draft));
  const units = current.map((r) => unitOf(draft, deployment, r));
  const others = lost.length + older.length + newer.length + draining.length + moving.length;
  const rests = others === 0 && units.every((u) => u.serving && u.capacity.meetsSlo && open.has(u.host));
  return rests && reaches(units, leastGoal(deployment)) ? [{ deployment, units }] : [];
}

/** What the demand may grow to without anything missing, as far as the present replicas serve that. */
function withHeldDemand({ deployment, units }: Resting): DeploymentDemand {
  const requestsPerSecond = Math.min(ampleGoal(deployment).requestsPerSecond, totalCapacity(units));
  return { ...deployment, demand: { ...deployment.demand, requestsPerSecond } };
}

function exchangesOf(resting: readonly Resting[], { replicas }: FleetPlan): Exchange[] {
  return resting.flatMap((r) => {
    const planned = replicas.filter((p) => p.deployment === r.deployment.spec.name);
    const kept = new Set(planned.map((p) => p.presentId));
    const placed = planned.filter((p) => p.presentId === undefined);
    const leaving = r.units.filter((u) => !kept.has(u.id));
    return placed.length + leaving.length > 0 ? [{ ...r, placed, leaving }] : [];
  });
}

/** USD an hour, the price of the moves taken off. */
function saving({ input }: Draft, exchanges: readonly Exchange[]): number {
  return exchanges.reduce((sum, { deployment, placed, leaving }) => {
    const model = input.models[deployment.spec.model]!;
    const spent = placed.reduce((usd, p) => usd + p.usdPerHour + movePricePerHour(model, p.usdPerHour), 0);
    return sum + leaving.reduce((usd, u) => usd + (u.usdPerHour ?? 0), 0) - spent;
  }, 0);
}

/** Would it leave a deployment on one host that stands on several? */
function losesSpread({ deployment, units, placed, leaving }: Exchange): boolean {
  if (deployment.spec.placement.spread !== 'host') return false;
  const after = [...units.filter((u) => !leaving.includes(u)), ...placed];
  return new Set(units.map((u) => u.host)).size > 1 && after.length > 1 && new Set(after.map((u) => u.host)).size === 1;
}

/** Would it take the last host that has room for the widest replica of the fleet? Nobody could drain that one's host then. */
function breaksLastWhole(draft: Draft, { placed }: Exchange): boolean {
  const group = Math.max(1, ...draft.input.replicas.map((r) => r.tensorParallel));
  const whole = hostsThatFit(draft, group);
  const [last] = whole;
  return whole.length === 1 && placed.some((p) => p.host === last && p.accelerators.length < group);
}

function carryOver(draft: Draft, exchanges: readonly Exchange[]): void {
  const usd = saving(draft, exchanges);
  for (const { deployment, placed, leaving } of exchanges) {
    // One for one is a move; else all that come must serve before any leaves.
    const swap = placed.length === 1 && leaving.length === 1;
    const ids = placed.map((p) => record(draft, deployment, candidateOf(draft, p), swap ? leaving[0]!.id : undefined).id);
    const reason = ids.length > 0 ? 'cheaper replicas take its place' : 'the others suffice';
    if (!swap) for (const unit of leaving) retire(draft, deployment.spec.name, unit, reason, ids);
    draft.movesLeft -= ids.length;
  }
  draft.reasons.push(`the same is served for ${usd.toFixed(2)} USD/h less, the price of the moves taken off`);
}

function candidateOf({ input }: Draft, { host, shape, accelerators, usdPerHour }: FleetReplica): Candidate {
  return { host: input.hosts.find((h) => h.name === host)!, shape, accelerators, usdPerHour };
}
