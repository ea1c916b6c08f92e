/** All that an answer of /api/v1/cost says, from one picture of the fleet. Takes from tens of ms to seconds: it is for a thread of its own. */
import type { MilpSolver } from '../../../core/placement/fleet/milp.ts';
import { type FleetCost, type FleetCostInput, fleetCost } from '../../../core/placement/fleet-cost.ts';
import { type DeploymentSloPrices, sloPrices } from '../../../core/placement/slo-price.ts';

export interface CostQuestion {
  input: FleetCostInput;
  /** Only this one; totals stay those of the fleet. */
  deployment?: string | undefined;
  tpotMs: readonly number[];
}

export type CostAnswer = FleetCost & { sloPrices: DeploymentSloPrices[] };

export function reckonCost({ input, deployment, tpotMs }: CostQuestion, solver: MilpSolver): CostAnswer {
  const { deployments, policies, ...fleet } = fleetCost(input);
  const isWanted = (name: string) => deployment === undefined || name === deployment;
  const priced = input.deployments.filter((d) => isWanted(d.spec.name));
  return {
    ...fleet,
    deployments: deployments.filter((d) => isWanted(d.deployment)),
    policies: policies.filter((p) => isWanted(p.deployment)),
    sloPrices: sloPrices({ ...input, deployments: priced }, tpotMs, solver),
  };
}
