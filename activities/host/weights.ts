/** Brings a replica's weights to its host before its engine starts. */
import { Context } from '@temporalio/activity';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import type { EngineSpec } from '../../engines/driver.ts';
import { describeSeconds } from '../../engines/weights/progress.ts';
import { findLocalFolder, parseSource } from '../../engines/weights/source.ts';
import type { FetchNote } from '../../engines/weights/store.ts';
import type { HostDeps } from './deps.ts';

/** The signal that takes a line on a fetch to the workflow that waits for it: `weightsProgressSignal` of workflows/messages.ts. */
export const WEIGHTS_PROGRESS = 'weightsProgress';

const BEAT_EVERY_MS = 2000;
/** A workflow keeps what it is told for good: it is told of every twentieth, and not more often than this. */
const TELL_EVERY_MS = 30_000;
const TELL_EVERY_PERCENT = 5;

/** What a heartbeat says. The next attempt goes by it: has anything advanced since? */
interface Beat {
  line: string;
  /** The most that was ever there. */
  bytes: number;
  /** Since the epoch: when it came to that. */
  advancedAtMs: number;
}

export function createWeightActivities({ weights }: Pick<HostDeps, 'weights'>) {
  return {
    /**
     * Fetches the weights into this host's cache, or finds them there. It takes as long as bytes advance: what fails on the way is tried
     * again, and fails for good once nothing has advanced for the cache's limit, over all attempts.
     * @returns one line on where the weights are
     * @throws engine-failed where trying again cannot help; disk-full; unavailable
     */
    async fetchWeights({ engine, replicaId, source }: Pick<EngineSpec, 'engine' | 'replicaId' | 'source'>): Promise<string> {
      if (engine === 'simulated') return 'a simulated engine loads no weights';
      if (!weights) return withoutCache(replicaId, source);
      const context = Context.current();
      const signal = context.cancellationSignal;
      const beat: Beat = { line: 'begins', bytes: -1, advancedAtMs: Date.now(), ...(context.info.heartbeatDetails as Beat | undefined) };
      const tell = teller(context);
      const onProgress = (note: FetchNote) => {
        beat.line = note.line;
        if (note.bytes === null || note.bytes > beat.bytes) {
          beat.bytes = note.bytes ?? beat.bytes;
          beat.advancedAtMs = Date.now();
        }
        tell(note);
      };
      const say = () => context.heartbeat({ ...beat });
      say();
      const timer = setInterval(say, BEAT_EVERY_MS);
      try {
        return await weights.ensure({ replicaId, source }, { signal, onProgress });
      } catch (error) {
        say();
        const transient = !(error instanceof UellmError) || error.detail.kind === 'unavailable';
        if (signal.aborted || !transient || Date.now() - beat.advancedAtMs < weights.stallMs) throw error;
        const reason = `${messageOf(error)}; nothing has advanced for ${describeSeconds(weights.stallMs / 1000)}`;
        throw new UellmError({ kind: 'engine-failed', replicaId, reason }, { cause: error });
      } finally {
        clearInterval(timer);
      }
    },
  };
}

async function withoutCache(replicaId: string, source: string): Promise<string> {
  const { kind } = parseSource(source);
  if (kind === 'hub') return `this host keeps no cache of weights: the engine fetches ${source} itself as it starts`;
  return `${await findLocalFolder(source, replicaId)} is on this host and used in place`;
}

/** Tells the workflow that waits; what cannot be told is left out. */
function teller(context: Context): (note: FetchNote) => void {
  let told = '';
  let toldAtMs = 0;
  return ({ line, percent }) => {
    const now = Date.now();
    const milestone = percent === null ? line : `${line.split(':')[0]} ${Math.floor(percent / TELL_EVERY_PERCENT)}`;
    if (milestone === told || now - toldAtMs < TELL_EVERY_MS) return;
    told = milestone;
    toldAtMs = now;
    const { workflowId, runId } = context.info.workflowExecution ?? {};
    if (workflowId === undefined) return;
    Promise.resolve()
      .then(() => context.client.workflow.getHandle(workflowId, runId).signal(WEIGHTS_PROGRESS, line))
      .catch(() => {});
  };
}
