/** Are the ports that we are about to listen on free? */
import { type FieldIssue, UellmError } from '../../core/domain/errors.ts';
import { PORT_VARIABLES } from '../environment/checks.ts';
import type { Environment } from '../environment.ts';
import { isPortFree } from '../processes/ports.ts';

/** @throws invalid-input that names the variable of each port that somebody else listens on */
export async function checkPorts({ ports, bind, temporal }: Environment): Promise<void> {
  const wanted: [keyof Environment['ports'], string][] = [
    ['api', bind],
    ['gateway', bind],
    ['profiler', bind],
    ...(temporal.address
      ? []
      : ([
          ['temporal', '127.0.0.1'],
          ['temporalUi', '127.0.0.1'],
        ] satisfies [keyof Environment['ports'], string][])),
  ];
  const issues: FieldIssue[] = [];
  for (const [name, address] of wanted) {
    if (await isPortFree(ports[name], address)) continue;
    issues.push({
      field: PORT_VARIABLES[name],
      given: String(ports[name]),
      allowed: `a port that is free: something listens on ${address}:${ports[name]}`,
    });
  }
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: 'the environment', issues });
}
