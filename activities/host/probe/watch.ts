/** Probes at the start and again now and then: devices fall off the bus while engines run. */
import type { Logger } from 'pino';
import type { HostProbe } from '../../../core/domain/host-probe.ts';
import { probeHost } from './index.ts';

const PROBE_EVERY_MS = 10 * 60_000;

export interface ProbeWatch {
  /** null before the first is made. */
  latest(): HostProbe | null;
  stop(): void;
}

export function watchProbe(logger: Logger, probe = () => probeHost(), everyMs = PROBE_EVERY_MS): ProbeWatch {
  let latest: HostProbe | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async () => {
    try {
      latest = await probe();
      for (const { tool, message } of latest.problems) logger.warn(`${tool}: ${message}`);
    } catch (error) {
      logger.error({ err: error }, 'the accelerators could not be probed');
    }
    if (!stopped) timer = setTimeout(look, everyMs).unref();
  };
  void look();
  return {
    latest: () => latest,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
