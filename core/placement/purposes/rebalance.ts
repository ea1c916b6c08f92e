/**
 * Follows the demand: more replicas where it outgrows them, fewer where fewer suffice, others where the present ones miss their SLO.
 * The two thresholds lie apart, so that a demand that flaps by 10 % moves nothing. What is not planned stays where it is.
 */
import { bestCandidate } from '../choose.ts';
import { pricePerHour } from '../cost.ts';
import { type Draft, presentReplicas, reaches, retire, totalCapacity, type Unit, unitOf } from '../draft.ts';
import { ampleGoal, leastGoal, wantedGoal } from '../goals.ts';
import { placeTowards, record } from '../place.ts';
import { ranked } from '../rank.ts';
import { overBudget, sloRefusal, whyNotPlaced } from '../refuse.ts';
import type { DeploymentDemand } from '../types.ts';
import { countOf, describeShape, describeTargets, perSecond } from '../wording.ts';
import { retireLeftBehind } from './left-behind.ts';

export function planRebalance(draft: Draft, deployment: DeploymentDemand): void {
  const present = presentReplicas(draft, deployment);
  retireLeftBehind(draft, deployment, present);
  const units = present.current.map((r) => unitOf(draft, deployment, r));
  const scaled = reaches(units, leastGoal(deployment)) ? scaleIn(draft, deployment, units) : scaleOut(draft, deployment, units);
  moveOffMisfits(draft, deployment, scaled);
}

function scaleOut(draft: Draft, deployment: DeploymentDemand, units: readonly Unit[]): Unit[] {
  const { spec } = deployment;
  const room = Math.max(0, spec.replicas.max - units.length);
  const placed = placeTowards(draft, deployment, units, wantedGoal(deployment), { most: Math.min(draft.movesLeft, room) });
  draft.movesLeft -= placed.length;
  const after = [...units, ...placed];
  const why = whyShort(deployment, units);
  draft.reasons.push(
    placed.length > 0
      ? `${spec.name}: ${why}; ${countOf(after.length)} can then serve ${perSecond(totalCapacity(after))}`
      : `${spec.name}: ${why}; none can be added${room === 0 ? `, replicas.max is ${spec.replicas.max}` : ''}`,
  );
  if (!reaches(after, leastGoal(deployment)) && placed.length < room) {
    draft.waiting.push(draft.movesLeft === 0 ? overBudget(draft, spec.name) : whyNotPlaced(draft, deployment));
  }
  return after;
}

/** The minimum, the demand or both, each where it is a cause. */
function whyShort(deployment: DeploymentDemand, units: readonly Unit[]): string {
  const { demand, forecastBasis } = deployment;
  const { replicas } = leastGoal(deployment);
  const basis = forecastBasis ? ` (${forecastBasis})` : '';
  const outgrown = `${perSecond(demand.requestsPerSecond)} forecast${basis}, ${countOf(units.length)} can serve ${perSecond(totalCapacity(units))}`;
  if (units.length >= replicas) return outgrown;
  const below = `replicas.min is ${replicas}, ${units.length === 1 ? '1 is' : `${units.length} are`} there`;
  return reaches(units, { ...leastGoal(deployment), replicas: 0 }) ? below : `${below}; ${outgrown}`;
}

function scaleIn(draft: Draft, deployment: DeploymentDemand, present: readonly Unit[]): Unit[] {
  const { spec, demand } = deployment;
  const ample = ampleGoal(deployment);
  let units = [...present];
  while (draft.movesLeft > 0) {
    const dispensable = byDispensability(draft, deployment, units).find((unit) => {
      const rest = units.filter((u) => u !== unit);
      const servingBelowMin = unit.serving && rest.filter((u) => u.serving).length < spec.replicas.min;
      return !servingBelowMin && rest.length >= spec.replicas.min && (units.length > spec.replicas.max || reaches(rest, ample));
    });
    if (!dispensable) break;
    units = units.filter((u) => u !== dispensable);
    draft.movesLeft--;
    const most = units.length >= spec.replicas.max ? `replicas.max is ${spec.replicas.max}: ` : '';
    const reason = `${most}${countOf(units.length)} can serve ${perSecond(totalCapacity(units))}, ${perSecond(demand.requestsPerSecond)} are forecast`;
    retire(draft, spec.name, dispensable, reason);
  }
  return units;
}

/** Replicas that miss their SLO even when idle go where it can be met, if there is such a place. */
function moveOffMisfits(draft: Draft, deployment: DeploymentDemand, present: readonly Unit[]): void {
  const { spec, targets } = deployment;
  let units = [...present];
  for (const unit of present.filter((u) => !u.capacity.meetsSlo)) {
    const others = units.filter((u) => u !== unit);
    const need = { requestsPerSecond: wantedGoal(deployment).requestsPerSecond - totalCapacity(others), replicas: 1 };
    const candidate = bestCandidate(draft, deployment, others, need);
    if (!candidate?.shape.capacity.meetsSlo || draft.movesLeft === 0) {
      draft.waiting.push(candidate?.shape.capacity.meetsSlo ? overBudget(draft, spec.name) : sloRefusal(deployment, unit));
      return;
    }
    draft.movesLeft--;
    units = [...others, record(draft, deployment, candidate, unit.id)];
    draft.reasons.push(`${spec.name}: ${describeShape(unit)} of host ${unit.host} cannot attain ${describeTargets(targets)}`);
  }
}

/** What can be spared best comes first: what misses the SLO, what leaves the rest on several hosts, what costs most for what it serves. */
function byDispensability({ input }: Draft, { spec }: DeploymentDemand, units: readonly Unit[]): Unit[] {
  const keysOf = (unit: Unit): number[] => {
    const rest = units.filter((u) => u !== unit);
    const restOnOneHost = spec.placement.spread === 'host' && rest.length > 1 && new Set(rest.map((u) => u.host)).size === 1;
    const price = pricePerHour(input.prices, unit.host, unit.acceleratorKind) ?? 0;
    const usdPerRequest = (price * unit.tensorParallel) / Math.max(unit.capacity.requestsPerSecond, 1e-9);
    return [unit.capacity.meetsSlo ? 1 : 0, restOnOneHost ? 1 : 0, -usdPerRequest];
  };
  return ranked(units, keysOf, (u) => u.id);
}
