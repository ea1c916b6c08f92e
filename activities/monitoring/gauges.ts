/** What several gateways say of the same replica, put together. */

import { eachTerm, type StepTimeCoefficients } from '../../core/domain/step-time.ts';
import type { ReplicaGauges } from '../../core/profiler/monitor/evidence.ts';
import type { LeaseGauges } from '../../db/queries/monitoring-evidence.ts';

const UNKNOWN: ReplicaGauges = {
  stepTimeRatio: null,
  stepTimeFit: null,
  kvUsage: null,
  expectedKvUsage: null,
  preemptions: 0,
  running: 0,
  waiting: 0,
};

/**
 * Each gateway measures steps by its own streams: ratios are averaged by what it has open there, as logarithms, since twice and half are equally
 * far off, and so are the coefficients that they show. What is of the engine as a whole (KV use, running, waiting) is the newest word of anyone who heard it; preemptions are the most that
 * anyone counted, since a gateway that came later has missed some. What each reckons of its own requests adds up.
 * @param leases of live gateways, the newest first
 */
export function combineGauges(leases: readonly LeaseGauges[], replicaId: string): ReplicaGauges {
  const told = leases.flatMap(({ gauges, inFlight }) => {
    const of = gauges[replicaId];
    return of ? [{ ...of, weight: Math.max(1, inFlight[replicaId] ?? 0) }] : [];
  });
  if (told.length === 0) return UNKNOWN;
  const heard = told.find((g) => g.kvUsage !== null) ?? told[0]!;
  const measured = told.flatMap(({ stepTimeRatio, weight }) =>
    stepTimeRatio !== null && stepTimeRatio > 0 ? [{ stepTimeRatio, weight }] : [],
  );
  const weights = measured.reduce((sum, m) => sum + m.weight, 0);
  return {
    stepTimeRatio: weights === 0 ? null : Math.exp(measured.reduce((sum, m) => sum + m.weight * Math.log(m.stepTimeRatio), 0) / weights),
    stepTimeFit: meanFit(told.flatMap(({ stepTimeFit, weight }) => (stepTimeFit ? [{ stepTimeFit, weight }] : []))),
    kvUsage: heard.kvUsage,
    expectedKvUsage: told.reduce((sum, g) => sum + (g.expectedKvUsage ?? 0), 0),
    preemptions: Math.max(...told.map((g) => g.preemptions)),
    running: heard.running,
    waiting: heard.waiting,
  };
}

/** As logarithms, too; a coefficient that any of them holds to be 0 is. */
function meanFit(fits: readonly { stepTimeFit: StepTimeCoefficients; weight: number }[]): StepTimeCoefficients | null {
  if (fits.length === 0) return null;
  const weights = fits.reduce((sum, { weight }) => sum + weight, 0);
  return eachTerm((term) =>
    Math.exp(fits.reduce((sum, { stepTimeFit, weight }) => sum + weight * Math.log(stepTimeFit[term]), 0) / weights),
  );
}
