/** What the activities of a host need from outside. */
import type { EngineDriver } from '../../engines/driver.ts';
import type { EngineHost } from '../../engines/host.ts';

export interface HostDeps {
  engines: EngineHost;
  drivers: readonly EngineDriver[];
}
