/** The commands of `bin/` that run for good. */
export const ROLES: readonly string[] = ['up', 'host', 'control', 'gateway', 'api', 'migrate'];
