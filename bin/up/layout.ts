/** Where `uellm up` keeps things in its data folder. */
import { join } from 'node:path';

export interface Layout {
  dataDir: string;
  /** Pid files of what runs. */
  runDir: string;
  /** Held by the supervisor that runs on this folder. */
  lockFile: string;
  temporalDatabase: string;
  /** Where the first admin key goes that no terminal can show. */
  adminKeyFile: string;
  /** Key for hashing words of prompts, where the environment names no other. */
  featureKeyFile: string;
  logOf(process: string): string;
  /** State of the engines of one host. */
  hostDir(host: string): string;
}

export function layoutOf(dataDir: string): Layout {
  return {
    dataDir,
    runDir: join(dataDir, 'run'),
    lockFile: join(dataDir, 'run', 'up.lock'),
    adminKeyFile: join(dataDir, 'admin-key'),
    featureKeyFile: join(dataDir, 'feature-key'),
    temporalDatabase: join(dataDir, 'temporal.db'),
    logOf: (process) => join(dataDir, 'logs', `${process}.log`),
    hostDir: (host) => join(dataDir, 'hosts', host),
  };
}
