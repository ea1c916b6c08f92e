/** Watches a canary and judges it. The workflow holds the shares of traffic and acts on the verdict. */
import { Context } from '@temporalio/activity';
import { analyseCanary, type CanaryVerdict, type Look } from '../core/profiler/monitor/canary-analysis.ts';
import { type ComparedWindow, canaryEvidence } from '../db/queries/canary.ts';
import type { ControlDeps } from './deps.ts';

/** From one look to the next. */
const LOOK_EVERY_MS = 10_000;
const HEARTBEAT_EVERY_MS = 1000;

export interface CanaryWatch extends ComparedWindow {
  /** Looks `during` a step end early only what is clearly bad; when it is `due`, the first clear verdict ends it. */
  sort: Look['sort'];
  /** Since when there have been looks of this sort, Unix time, ms. */
  lookingSinceMs: number;
  /** How much longer to look. */
  forMs: number;
}

export function createCanaryActivities({ db, now }: ControlDeps) {
  return {
    /**
     * Looks every ten seconds until the verdict is clear or the time is over, and says how it stands then. A verdict that is due is looked for
     * at once. Run again it goes on with the looks as they are numbered by the clock.
     */
    async watchCanary(watch: CanaryWatch): Promise<CanaryVerdict> {
      const context = Context.current();
      // Counted from when it was asked for, whichever attempt this is.
      const untilMs = context.info.scheduledTimestampMs + watch.forMs;
      const look = async () => {
        const number = 1 + Math.floor(Math.max(0, now() - watch.lookingSinceMs) / LOOK_EVERY_MS);
        const verdict = analyseCanary(await canaryEvidence(db, watch), { sort: watch.sort, number });
        context.heartbeat(verdict);
        return verdict;
      };
      const isClear = ({ verdict }: CanaryVerdict) => verdict === 'bad' || (verdict === 'good' && watch.sort === 'due');
      let verdict = await look();
      for (let nextMs = now() + LOOK_EVERY_MS; !isClear(verdict) && now() < untilMs; ) {
        await context.sleep(Math.min(HEARTBEAT_EVERY_MS, Math.max(1, untilMs - now())));
        context.heartbeat(verdict);
        if (now() < nextMs && now() < untilMs) continue;
        verdict = await look();
        nextMs = now() + LOOK_EVERY_MS;
      }
      return verdict;
    },
  };
}
