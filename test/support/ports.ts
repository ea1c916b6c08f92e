/** Ports for an installation of a test's own. */
import { freePort } from '../../bin/processes/ports.ts';

/** As the variables that `readEnvironment` takes. */
export async function freePorts(): Promise<Record<string, string>> {
  const names = ['API', 'GATEWAY', 'PROFILER', 'TEMPORAL', 'TEMPORAL_UI'];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [`UELLM_${name}_PORT`, String(await freePort())])));
}
