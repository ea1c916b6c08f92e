/**
 * Monitoring: where what happens is not what was predicted, and what to do about it. `monitor` is the whole decision; it is pure and has
 * no clock. Whoever runs it gathers `Evidence` every `LOOK_EVERY_MS` over the last `WINDOW_MS`, keeps the memory between looks, and carries
 * the verdict out.
 *
 * One file a detector (`output-length.ts`, `step-time.ts`, `kv-allocation.ts`, `preemptions.ts`, `out-of-memory.ts`), each of which says
 * what it does where most subjects look wrong alike; `trial.ts` judges what was begun, `easing.ts` loosens limits, `probing.ts` takes back what
 * nobody sees any more, `rebalance.ts` gives up
 * on corrections, `register.ts` keeps the book of what is in force.
 */
import type { Verdict } from './correction.ts';
import type { Detector } from './detector.ts';
import { ease } from './easing.ts';
import type { Evidence } from './evidence.ts';
import { kvOverAllocation, kvUnderAllocation } from './kv-allocation.ts';
import { emptyMemory, type MonitorMemory, remembered, withAnswersSeen, withReplicasSeen } from './memory.ts';
import { outOfMemory } from './out-of-memory.ts';
import { outputLength } from './output-length.ts';
import { preemptions } from './preemptions.ts';
import { probe } from './probing.ts';
import { REBALANCE_LOOKS, unattaining } from './rebalance.ts';
import { Register } from './register.ts';
import { stepTime } from './step-time.ts';
import { judge } from './trial.ts';
import { usable } from './usable.ts';

export { emptyMemory, type MonitorMemory };

export const LOOK_EVERY_MS = 10_000;
/** Long enough for a few dozen requests, short enough to see a change within a minute. */
export const WINDOW_MS = 30_000;

/** The most urgent first: a look begins only so many corrections. */
const DETECTORS: readonly Detector[] = [outOfMemory, preemptions, kvUnderAllocation, stepTime, outputLength, kvOverAllocation];
const DETECTOR = Object.fromEntries(DETECTORS.map((detector) => [detector.kind, detector])) as Record<Detector['kind'], Detector>;

/** One look. Evidence that cannot be is passed over; a look at no later time than the last decides nothing. */
export function monitor(memory: MonitorMemory, given: Evidence): { memory: MonitorMemory; verdict: Verdict } {
  // A memory kept by an earlier version may lack what came later.
  const past = remembered({ ...emptyMemory, ...memory }, given);
  if (!past.isUsable) return { memory: past.memory, verdict: { findings: [], end: [], begin: [], keep: [] } };
  const evidence = usable(given);
  const register = new Register(withReplicasSeen(past.memory, evidence), evidence);

  register.dropGone();
  for (const correction of register.onTrial()) {
    const judgement = judge(correction, evidence, DETECTOR[correction.finding.kind], register.memory);
    if (judgement?.keep) register.keep(correction, judgement.reason);
    else if (judgement) register.undo(correction, judgement.reason);
  }
  for (const detector of DETECTORS) {
    for (const { finding, change } of detector.detect(evidence, register.memory)) {
      const deviation = change && detector.deviation(change, evidence, register.memory);
      const isSustained = register.find(finding, detector.looks, deviation);
      if (isSustained && change) register.begin(finding, change, deviation);
    }
  }
  register.takeBack(probe(register.memory, evidence, past.memory.lookedAtMs));
  const eased = ease(register.memory, evidence, past.memory.lookedAtMs);
  register.loosen(eased);
  for (const { finding, change } of unattaining(register.memory, evidence)) {
    if (register.find(finding, REBALANCE_LOOKS, null)) register.begin(finding, change, null);
  }
  register.memory = withAnswersSeen(register.memory, evidence);
  return register.close();
}
