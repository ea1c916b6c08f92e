/** The planner with its shapes tried by simulation, and what is predicted of each deployment before and after. */
import type { DeploymentOutlook, Outlook } from '../domain/plan.ts';
import type { MilpSolver } from '../placement/fleet/milp.ts';
import { plan } from '../placement/planner.ts';
import type { DeploymentChange, DeploymentDemand, PlanInput, PlanOutput, ServingShape } from '../placement/types.ts';
import { failedShapes, type ShapeTrials } from './shape-trials.ts';

/** So often a plan is made anew because a shape did not do what it was counted on for. */
const ROUNDS = 4;

export function planTried(input: PlanInput, solver: MilpSolver, trials: ShapeTrials): PlanOutput {
  let factors: Record<string, number> = { ...input.capacityFactors };
  let output = plan({ ...input, capacityFactors: factors }, solver);
  for (let round = 1; round < ROUNDS; round++) {
    const failed = failedShapes(trials, chosenShapes(output));
    if (Object.keys(failed).length === 0) break;
    factors = { ...factors, ...Object.fromEntries(Object.entries(failed).map(([key, factor]) => [key, (factors[key] ?? 1) * factor])) };
    output = plan({ ...input, capacityFactors: factors }, solver);
  }
  const { report, ...rest } = output;
  const tried = Object.entries(factors).map(
    ([key, factor]) => `${key}: by simulation ${Math.round(factor * 100)} % of the closed form's capacity`,
  );
  return {
    ...rest,
    report: { ...report, reasons: [...report.reasons, ...tried], deployments: output.changes.map((c) => outlookOf(c, trials)) },
  };
}

function* chosenShapes({ changes }: PlanOutput) {
  for (const { deployment, after } of changes) for (const { shape } of after) if (shape) yield { deployment, shape };
}

function outlookOf({ deployment, before, after }: DeploymentChange, trials: ShapeTrials): DeploymentOutlook {
  return {
    deployment: deployment.spec.name,
    requestsPerSecond: deployment.demand.requestsPerSecond,
    before: outlook(deployment, before, trials),
    after: outlook(deployment, after, trials),
  };
}

function outlook(deployment: DeploymentDemand, replicas: readonly ServingShape[], trials: ShapeTrials): Outlook {
  const money = replicas.reduce<number | null>((sum, r) => (sum === null || r.usdPerHour === null ? null : sum + r.usdPerHour), 0);
  return {
    replicas: replicas.length,
    capacityRequestsPerSecond: capacityOf(replicas),
    usdPerHour: money === null ? null : Math.round(money * 1e4) / 1e4,
    attainment: attainmentOf(deployment, replicas, trials),
  };
}

/** Each replica takes a share of the demand as large as its share of the capacity. */
function attainmentOf({ targets, ...rest }: DeploymentDemand, replicas: readonly ServingShape[], trials: ShapeTrials): number | null {
  const capacity = capacityOf(replicas);
  const { requestsPerSecond } = rest.demand;
  if (!targets || requestsPerSecond === 0) return null;
  if (capacity === 0) return replicas.length === 0 ? 0 : null;
  const attained = replicas.reduce((sum, { shape }) => {
    const share = (shape?.capacity.requestsPerSecond ?? 0) / capacity;
    if (!shape || share === 0) return sum;
    return sum + share * trials.attainment(shape.speed, { ...rest, targets }, share * requestsPerSecond);
  }, 0);
  return Math.round(attained * 1e4) / 1e4;
}

function capacityOf(replicas: readonly ServingShape[]): number {
  return replicas.reduce((sum, { shape }) => sum + (shape?.capacity.requestsPerSecond ?? 0), 0);
}
