/**
 * A replica's steps do not take what is predicted: its coefficients are multiplied, each by its own factor where its steps tell them apart.
 *
 * Whose fault is it when most look wrong alike? Of one model: the prediction of that model is wrong, and correcting it is the cure,
 * replica by replica. Of several models at once: what they have in common are the gateways that measure them; nothing is corrected.
 */
import { eachTerm, multiplied, type StepTimeCoefficients } from '../../domain/step-time.ts';
import { furthestRatio } from '../shapes.ts';
import type { CorrectionChange } from './correction.ts';
import { type Detector, ofReplica, percent, replicaFinding, rounded, type Suspicion } from './detector.ts';
import type { Evidence, ReplicaEvidence } from './evidence.ts';
import { inForce, type MonitorMemory } from './memory.ts';

/** Off by a quarter, either way. */
const OFF = 1.25;
/** An engine that is slower than this is not slow but broken. */
const MOST_FACTOR = 10;
/** With a correction out of force again, nearer than this is as it was. */
const AS_BEFORE = 1.12;
/** Fewer replicas than this are no majority of anything. */
const LEAST_REPLICAS = 4;

export const stepTime: Detector = {
  kind: 'step-time',
  looks: 2,
  leaves: 0.5,
  tolerated: Math.log(OFF),

  detect(evidence, memory) {
    const slow = evidence.replicas.filter((r) => ratioOf(r) > OFF);
    const fast = evidence.replicas.filter((r) => ratioOf(r) < 1 / OFF);
    return [slow, fast].flatMap((off) => {
      const isOurs = areGatewaysLikelier(off, evidence);
      return off.map((r) => suspicion(r, memory, isOurs));
    });
  },

  deviation(change, evidence) {
    // By what is measured at the load that it has: what its steps tell of other loads becomes surer with time, and replaces what it said before.
    const ratio = ofReplica(change, evidence)?.stepTimeRatio ?? null;
    return ratio === null ? null : Math.abs(Math.log(ratio));
  },
};

function areGatewaysLikelier(off: readonly ReplicaEvidence[], { replicas }: Evidence): boolean {
  const measured = replicas.filter((r) => r.stepTimeRatio !== null);
  return measured.length >= LEAST_REPLICAS && off.length > measured.length / 2 && new Set(off.map((r) => r.model)).size > 1;
}

/** How far off a replica is: at the load that it has, or at another that its steps tell of, whichever is further; 1 where nothing was measured. */
function ratioOf({ stepTimeRatio, stepTimeFit, stepTime }: ReplicaEvidence): number {
  if (stepTimeRatio === null) return 1;
  const elsewhere = stepTimeFit && stepTime ? furthestRatio(stepTimeFit, stepTime) : 1;
  return Math.abs(Math.log(elsewhere)) > Math.abs(Math.log(stepTimeRatio)) ? elsewhere : stepTimeRatio;
}

function suspicion(replica: ReplicaEvidence, memory: MonitorMemory, isOurs: boolean): Suspicion {
  const { replicaId, stepTimeFit, stepTime } = replica;
  const ratio = ratioOf(replica);
  const before = inForce(memory, 'recalibrate-step-time', replicaId);
  const why = isOurs ? '; most replicas of several models look alike, so it is likelier the gateways that measure than the engines' : '';
  // Against the coefficients without any correction: the one in force is undone first.
  const change =
    stepTimeFit && stepTime && explains(furthestRatio(stepTimeFit, stepTime), ratio)
      ? byTerm(before, stepTimeFit, stepTime)
      : { factor: within((before?.factor ?? 1) * ratio) };
  return {
    finding: replicaFinding('step-time', replicaId, `steps take ${percent(ratio)} of what is predicted${why}`, {
      stepTimeRatio: rounded(ratio),
      factorInForce: before?.factor ?? 1,
    }),
    change: isOurs ? null : { kind: 'recalibrate-step-time', replicaId, ...change },
  };
}

/** Do the coefficients that steps show tell of all that was measured? Just after a change they do not yet. */
const explains = (byFit: number, ratio: number) => Math.abs(Math.log(byFit)) > Math.abs(Math.log(ratio)) - Math.log(AS_BEFORE);

function byTerm(before: StepTimeChange | null, fit: StepTimeCoefficients, inForceNow: StepTimeCoefficients) {
  const uncorrected = before ? multiplied(inForceNow, inverse(factorsOf(before))) : inForceNow;
  const factors = eachTerm((term) => (uncorrected[term] > 0 ? within(fit[term] / uncorrected[term]) : 1));
  return { factor: within(furthestRatio(multiplied(uncorrected, factors), uncorrected)), factors };
}

const within = (factor: number) => rounded(Math.min(MOST_FACTOR, Math.max(1 / MOST_FACTOR, factor)));

type StepTimeChange = Extract<CorrectionChange, { kind: 'recalibrate-step-time' }>;

/** What the coefficients in force are multiplied by. */
export function factorsOf({ factor, factors }: StepTimeChange): StepTimeCoefficients {
  return factors ?? eachTerm(() => factor);
}

/** What takes it back. */
export function inverse(factors: StepTimeCoefficients): StepTimeCoefficients {
  return eachTerm((term) => 1 / factors[term]);
}

/** Is a corrected replica what it was before? Then the correction goes without a successor. */
export function isAsBefore(factor: number): boolean {
  return Math.abs(Math.log(factor)) < Math.log(AS_BEFORE);
}
