/** Who predicts output lengths in a simulation: the profiler as it runs in production, the mean of the class, or one that knows. */
import { UellmError } from '../domain/errors.ts';
import { Z90 } from '../domain/statistics.ts';
import { learn, type StoredObservation } from '../profiler/learn.ts';
import { predictOutput } from '../profiler/predict.ts';
import { COLD_START_SNAPSHOT } from '../profiler/snapshot.ts';

export const PREDICTORS = ['learned', 'class-mean', 'oracle'] as const;
export type PredictorName = (typeof PREDICTORS)[number];

/** What may be known of a request; only the oracle looks at `outputTokens`. */
export interface Predictable {
  readonly class: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface OutputPredictor {
  predict(request: Predictable): { p50: number; p90: number };
  /** It has ended, as is known at `nowMs`. */
  observe(request: Predictable, nowMs: number): void;
}

/** @throws invalid-input that names the predictors */
export function createPredictor(name: string): OutputPredictor {
  switch (name) {
    case 'learned':
      return learnedPredictor();
    case 'class-mean':
      return classMeanPredictor();
    case 'oracle':
      return { predict: ({ outputTokens }) => ({ p50: outputTokens, p90: outputTokens }), observe: () => undefined };
    default:
      throw new UellmError({
        kind: 'invalid-input',
        what: 'simulation',
        issues: [{ field: 'predictor', given: JSON.stringify(name), allowed: `one of ${PREDICTORS.join(', ')}` }],
      });
  }
}

/** Observations are learned from in batches, as the profiler service does; the snapshot in force is the last one published. */
const BATCH = 64;

function learnedPredictor(): OutputPredictor {
  let snapshot = COLD_START_SNAPSHOT;
  // Learning keeps nothing of what it is given: the same objects serve every time.
  const batch: StoredObservation[] = Array.from({ length: BATCH }, (_, i) => ({
    ...UNSAID,
    id: i,
    requestId: String(i),
    class: '',
    inputTokens: 0,
    outcome: 'ok',
    outputTokens: 0,
  }));
  const asked = { ...UNSAID, class: '', inputTokens: 0 };
  let id = 0;
  return {
    predict: (request) => {
      asked.class = request.class;
      asked.inputTokens = request.inputTokens;
      const { p50, p90 } = predictOutput(snapshot, asked);
      return { p50, p90 };
    },
    observe(request) {
      const observation = batch[id % BATCH]!;
      id += 1;
      observation.id = id;
      observation.class = request.class;
      observation.inputTokens = request.inputTokens;
      observation.outputTokens = request.outputTokens;
      if (id % BATCH === 0) snapshot = learn(snapshot, batch).snapshot;
    },
  };
}

/** Traces tell neither. */
const UNSAID = { model: 'simulated', tenant: 'default', maxTokens: null, streamed: true };

/** Mean and deviation of the logarithm for each class so far; before anything was seen, those of the cold start. */
function classMeanPredictor(): OutputPredictor {
  const cold = predictOutput(COLD_START_SNAPSHOT, { ...UNSAID, class: '', inputTokens: 1000 });
  const seen = new Map<string, { count: number; sum: number; logSum: number; logSquares: number }>();
  return {
    predict(request) {
      const stats = seen.get(request.class);
      if (!stats || stats.count < 10) return { p50: cold.mean, p90: cold.p90 };
      const mean = stats.logSum / stats.count;
      const deviation = Math.sqrt(Math.max(0, stats.logSquares / stats.count - mean ** 2));
      const p50 = stats.sum / stats.count;
      return { p50, p90: Math.max(p50, Math.exp(mean + Z90 * deviation)) };
    },
    observe(request) {
      const log = Math.log(request.outputTokens);
      const stats = seen.get(request.class) ?? { count: 0, sum: 0, logSum: 0, logSquares: 0 };
      stats.count += 1;
      stats.sum += request.outputTokens;
      stats.logSum += log;
      stats.logSquares += log * log;
      seen.set(request.class, stats);
    },
  };
}
