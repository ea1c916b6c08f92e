/**
 * Asks every replica for its metrics a few times a second. Two questions in a row without an answer eject it until it answers again: at
 * most a second after it died. An engine that is sending tokens is well, however late its metrics are.
 */
import { messageOf } from '../../core/domain/errors.ts';
import { DIALECTS } from '../engines/registry.ts';
import type { Fleet } from '../fleet.ts';
import type { LiveReplica } from '../replica.ts';

const FAILURES_TO_EJECT = 2;

export interface HealthOptions {
  intervalMs: number;
  timeoutMs: number;
}

/** Returns how to stop. */
export function watchHealth(fleet: Fleet, { intervalMs, timeoutMs }: HealthOptions): () => void {
  const asking = new Set<LiveReplica>();
  const timer = setInterval(() => {
    for (const replica of fleet.routed()) {
      if (asking.has(replica)) continue;
      asking.add(replica);
      void ask(fleet, replica, timeoutMs).finally(() => asking.delete(replica));
    }
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

async function ask(fleet: Fleet, replica: LiveReplica, timeoutMs: number): Promise<void> {
  const { upstream, load } = replica;
  const askedMs = performance.now();
  const { inFlight, started, ended } = load;
  try {
    const gauges = await DIALECTS[replica.row.engine].gauges(upstream, replica.row, timeoutMs);
    fleet.markHealthy(replica, upstream);
    const own = { atLeast: inFlight - (load.ended - ended), atMost: inFlight + load.started - started };
    fleet.readGauges(replica, upstream, gauges, own);
  } catch (error) {
    const heardMeanwhile = replica.lastHeardMs > askedMs;
    // Far past the timeout it is this process that was held up; the answer may lie in the socket unread.
    const weWereLate = performance.now() - askedMs > 2 * timeoutMs;
    if (heardMeanwhile || weWereLate || replica.upstream !== upstream) return;
    replica.failures += 1;
    if (replica.failures >= FAILURES_TO_EJECT)
      fleet.eject(replica, upstream, `asked for its metrics it failed ${replica.failures} times: ${messageOf(error)}`);
  }
}
