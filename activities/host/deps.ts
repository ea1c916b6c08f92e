/** What the activities of a host need from outside. */
import type { HostProbe } from '../../core/domain/host-probe.ts';
import type { EngineDriver } from '../../engines/driver.ts';
import type { EngineHost } from '../../engines/host.ts';
import type { WeightStore } from '../../engines/weights/store.ts';

export interface HostDeps {
  engines: EngineHost;
  drivers: readonly EngineDriver[];
  /** The newest probe of this host's accelerators; null before the first is made. */
  probed: () => HostProbe | null;
  /** The newest lines that this host's worker has logged, oldest first. */
  workerLog: () => readonly string[];
  /** Its cache of weights; null where engines find their weights themselves. */
  weights: WeightStore | null;
}
