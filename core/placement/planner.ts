/**
 * Placement: which model goes on which accelerators, in which shape. `plan` decides and gives its reasons; it never acts. Pure: the
 * same input gives the same plan, and a plan made again after it was carried out moves nothing.
 *
 * `shapes.ts` says what fits, `capacity/` what each shape serves within the SLO, `choose.ts` which place is best, `purposes/` what
 * should move and why, `refuse.ts` why something cannot, `check.ts` what of a plan still holds when it is applied; `fleet/` plans all
 * deployments together at the least cost, with a bound.
 */

import { changesOf } from './changes.ts';
import { type Draft, openDraft } from './draft.ts';
import type { MilpSolver } from './fleet/milp.ts';
import { tooManyHostsLost, unplannedReplicas } from './preconditions.ts';
import { planDeploy } from './purposes/deploy.ts';
import { planDrain } from './purposes/drain.ts';
import { economise } from './purposes/economise.ts';
import { retireUndeclared } from './purposes/left-behind.ts';
import { planRebalance } from './purposes/rebalance.ts';
import { planReplace } from './purposes/replace.ts';
import { ranked } from './rank.ts';
import { reportOf } from './report.ts';
import type { DeploymentDemand, PlanInput, PlanOutput } from './types.ts';

/** How each purpose plans one deployment. */
const PURPOSES = { deploy: planDeploy, drain: planDrain, rebalance: planRebalance, replace: planReplace } as const;

/**
 * Plans the deployments of the input, those that need the widest groups of accelerators first; when none of them needs anything, a
 * rebalance looks whether the fleet as a whole could cost less.
 * @param solver of mixed-integer programs; without one, nothing is moved to save money
 */
export function plan(input: PlanInput, solver: MilpSolver | null = null): PlanOutput {
  const draft = openDraft(input, solver);
  draft.waiting.push(...tooManyHostsLost(input), ...unplannedReplicas(input));
  if (!draft.waiting.some((w) => w.on === 'hosts-lost')) {
    retireUndeclared(draft);
    for (const deployment of widestFirst(draft)) PURPOSES[input.purpose](draft, deployment);
    if (input.purpose === 'rebalance') economise(draft);
  }
  return { moves: draft.moves, report: reportOf(draft), changes: changesOf(draft) };
}

/** Big stones first: what needs few accelerators fits between them, not the other way round. */
function widestFirst({ input, shapes }: Draft): DeploymentDemand[] {
  const narrowest = (d: DeploymentDemand) => {
    const widths = input.hosts.flatMap((host) => shapes.shapesOn(d, host).map((s) => s.tensorParallel));
    return Math.min(...widths, Number.MAX_SAFE_INTEGER);
  };
  return ranked(
    input.deployments,
    (d) => [-narrowest(d)],
    (d) => d.spec.name,
  );
}
