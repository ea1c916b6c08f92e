/** All runs of a command: every policy, predictor and seed at every rate, or at the largest rate that attains each of some targets. */

import type { ReportedRun, Run } from '../../core/simulator/run.ts';
import { largestRate } from '../../core/simulator/search.ts';
import type { ReplicaSpec } from '../../core/simulator/simulated-replica.ts';
import { reportSimulation } from '../../core/simulator/simulation.ts';
import type { SloClass } from '../../core/simulator/slo-classes.ts';
import type { TraceRequest } from '../../core/simulator/traces/rows.ts';
import { percent } from '../output/figures.ts';
import type { SimulateFlags } from './flags.ts';
import type { SimulationProgress } from './progress.ts';
import type { RequestSource } from './requests.ts';

/** A target of a search that is met at no rate. */
export interface Unreachable {
  policy: string;
  predictor: string;
  seed: number;
  attainment: number;
  /** The most that was attained at any rate looked at. */
  bestAttainment: number;
}

export interface Results {
  runs: ReportedRun[];
  unreachable: Unreachable[];
  /** Every run that a search looked at, those in `runs` included; none without a search. */
  visited: Run[];
  notes: string[];
}

export interface RunInputs {
  flags: SimulateFlags;
  source: Pick<RequestSource, 'requests'>;
  classes: readonly SloClass[];
  replicas: readonly ReplicaSpec[];
}

/** What a run is of, but for its rate. */
interface Subject {
  policy: string;
  predictor: string;
  seed: number;
}

/** @throws invalid-input where a request names a class that the SLO file has not */
export function runAll(inputs: RunInputs, progress: SimulationProgress): Results {
  const { flags } = inputs;
  const subjects = Array.from({ length: flags.seeds }, (_, i) => flags.seed + i).flatMap((seed) =>
    flags.policy.flatMap((policy) => flags.predictor.map((predictor): Subject => ({ policy, predictor, seed }))),
  );
  try {
    if (flags.search) return searchAll(inputs, subjects, flags.search, progress);
    const runs = flags.rateScale.flatMap((rateScale) => subjects.map((subject) => runOne(inputs, subject, rateScale, progress)));
    return { runs, unreachable: [], visited: [], notes: [] };
  } finally {
    progress.clear();
  }
}

/** How many runs that will be; null for a search. */
export function countRuns({ search, seeds, policy, predictor, rateScale }: SimulateFlags): number | null {
  return search ? null : seeds * policy.length * predictor.length * rateScale.length;
}

/** Searches of one subject look at the same rates in part: each is simulated once. */
function searchAll(inputs: RunInputs, subjects: readonly Subject[], targets: readonly number[], progress: SimulationProgress): Results {
  const unreachable: Unreachable[] = [];
  const visited: Run[] = [];
  const notes: string[] = [];
  const found = subjects.flatMap((subject) => {
    const byRate = new Map<number, ReportedRun>();
    const runAt = (rate: number): Run => {
      const reported = byRate.get(rate) ?? runOne(inputs, subject, rate, progress);
      byRate.set(rate, reported);
      return reported.run;
    };
    const best = targets.flatMap((attainment) => {
      const run = largestRate(runAt, { attainment, startRate: inputs.flags.rateScale[0]! });
      const attained = [...byRate.values()].map(({ run: { attainment: share } }) => share);
      if (!run) {
        unreachable.push({ ...subject, attainment, bestAttainment: Math.max(...attained) });
        return [];
      }
      if (attained.every((share) => share >= attainment)) {
        notes.push(`${subject.policy} attains ${percent(attainment)} at every rate looked at: more requests would tell more`);
      }
      notes.push(...burstNotes(run, inputs.source.requests(subject.seed)));
      return [{ run, series: byRate.get(run.rateScale)!.series }];
    });
    visited.push(...[...byRate.values()].map(({ run }) => run));
    return best;
  });
  const runs = targets.flatMap((attainment) => found.filter(({ run }) => run.searchedAttainment === attainment));
  return { runs, unreachable, visited, notes };
}

/** Where most of the time goes by after the last arrival, a queue was worked off that would have gone on growing. */
const LONGEST_TAIL = 0.5;

function burstNotes({ policy, searchedAttainment, rateScale, durationSeconds }: Run, trace: readonly TraceRequest[]): string[] {
  const arrivalSeconds = (trace.at(-1)!.arrivalMs - trace[0]!.arrivalMs) / 1000 / rateScale;
  const tailSeconds = durationSeconds - arrivalSeconds;
  if (tailSeconds <= LONGEST_TAIL * arrivalSeconds) return [];
  return [
    `${policy} at ${percent(searchedAttainment ?? null)}: all requests come within ${arrivalSeconds.toFixed(0)} s there, and the last ends ${tailSeconds.toFixed(0)} s later: a burst that is got over, not a rate that could be kept up; more requests would tell more`,
  ];
}

function runOne(
  { flags, source, classes, replicas }: RunInputs,
  subject: Subject,
  rateScale: number,
  progress: SimulationProgress,
): ReportedRun {
  const trace = source.requests(subject.seed);
  const { stepNoise, engineStateAgeMs, streamDelayMs, modelFactor } = flags;
  const who = flags.predictor.length > 1 ? `${subject.policy}, ${subject.predictor}` : subject.policy;
  progress.begin(`${who} at ${Number(rateScale.toPrecision(4))}×`, trace.length);
  return reportSimulation({
    ...subject,
    trace,
    replicas,
    classes,
    rateScale,
    stepNoise,
    engineStateAgeMs,
    streamDelayMs,
    modelFactor,
    onProgress: (ended) => progress.ended(ended),
  });
}
