/** Our own roles as processes: this very program, each with the one role it has. */
import { fileURLToPath } from 'node:url';
import { variablesOf } from '../environment/for-children.ts';
import type { Environment } from '../environment.ts';
import type { ProcessSpec } from '../processes/launch.ts';
import type { Layout } from './layout.ts';

const PROGRAM = fileURLToPath(new URL('../uellm.js', import.meta.url));

export function roleSpec(role: string, args: string[], environment: Environment, layout: Layout): ProcessSpec {
  const { drainSeconds, stopSeconds = 0 } = environment.gateway;
  return {
    name: role,
    command: process.execPath,
    args: [PROGRAM, role, ...args],
    env: variablesOf(environment),
    logFile: layout.logOf(role),
    stopSignal: 'SIGTERM',
    stopGraceSeconds: 9 + (role === 'gateway' ? drainSeconds + stopSeconds : 0), // a role closes within 8 s or goes all the same
    readyWithinSeconds: 45,
  };
}

/** The host worker of the given hosts. It gets no credentials of the database: hosts have none; and the port of metrics is the control worker's. */
export function hostSpec(hosts: readonly string[], environment: Environment, layout: Layout): ProcessSpec {
  return roleSpec('host', ['--name', hosts.join(',')], { ...environment, databaseUrl: undefined, workerMetricsPort: undefined }, layout);
}
