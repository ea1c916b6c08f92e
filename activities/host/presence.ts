/** The sign of life: one activity that runs as long as the host worker does, and returns only to report a change. */
import { Context } from '@temporalio/activity';
import type { EngineReport } from '../../engines/host.ts';
import type { HostDeps } from './deps.ts';

const LOOK_EVERY_MS = 1000;
/** With a heartbeat timeout of 15 s, two beats may be lost. */
const BEAT_EVERY_MS = 5000;
/** Returns now and then even without a change, so that what is recorded never grows stale. */
const REPORT_EVERY_MS = 60_000;

export interface Presence {
  engines: EngineReport[];
  /** Of `engines`: pass it back to be told only of changes. */
  digest: string;
}

export function createPresenceActivities({ engines }: Pick<HostDeps, 'engines'>) {
  return {
    async reportPresence(knownDigest: string): Promise<Presence> {
      const context = Context.current();
      const begun = Date.now();
      let beaten = 0;
      for (;;) {
        const reports = await engines.list();
        const digest = reports
          .map((r) => `${r.replicaId}/${r.generation}:${r.state}`)
          .sort()
          .join(' ');
        if (digest !== knownDigest || Date.now() - begun > REPORT_EVERY_MS) return { engines: reports, digest };
        if (Date.now() - beaten >= BEAT_EVERY_MS) {
          context.heartbeat({ engines: reports.length });
          beaten = Date.now();
        }
        await context.sleep(LOOK_EVERY_MS);
      }
    },
  };
}
