/** What the activities of a host need from outside. */
import type { Logger } from 'pino';
import type { EngineDriver } from '../../engines/driver.ts';
import type { EngineHost } from '../../engines/host.ts';

export interface HostDeps {
  host: string;
  engines: EngineHost;
  drivers: readonly EngineDriver[];
  logger: Logger;
}
