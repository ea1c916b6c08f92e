/** The sign of life: one activity that runs as long as the host worker does, and returns only to report a change. */
import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { HostProbe } from '../../core/domain/host-probe.ts';
import type { EngineReport } from '../../engines/host.ts';
import type { HostDeps } from './deps.ts';

const LOOK_EVERY_MS = 1000;
/** With a heartbeat timeout of 15 s, two beats may be lost. */
const BEAT_EVERY_MS = 5000;
/** Returns now and then even without a change: what the control plane expects may have changed. A fleet of hosts is as many reports. */
const REPORT_EVERY_MS = 2 * 60_000;

export interface Presence {
  engines: EngineReport[];
  /** What the host's own tools found; absent before they have answered, and from hosts of earlier releases. */
  probe?: HostProbe;
  /** Of both: pass it back to be told only of changes. */
  digest: string;
}

export function createPresenceActivities({ engines, probed }: Pick<HostDeps, 'engines' | 'probed'>) {
  return {
    async reportPresence(knownDigest: string): Promise<Presence> {
      const context = Context.current();
      const begun = Date.now();
      let beaten = 0;
      for (;;) {
        const reports = await engines.list();
        const probe = probed();
        const digest = digestOf(reports, probe);
        if (digest !== knownDigest || Date.now() - begun > REPORT_EVERY_MS) return { engines: reports, digest, ...(probe && { probe }) };
        if (Date.now() - beaten >= BEAT_EVERY_MS) {
          context.heartbeat({ engines: reports.length });
          beaten = Date.now();
        }
        await context.sleep(LOOK_EVERY_MS);
      }
    },
  };
}

function digestOf(reports: readonly EngineReport[], probe: HostProbe | null): string {
  const engines = reports.map((r) => `${r.replicaId}/${r.generation}:${r.state}`).sort();
  const found = probe ? [createHash('sha256').update(JSON.stringify(probe)).digest('hex').slice(0, 12)] : [];
  return [...engines, ...found].join(' ');
}
