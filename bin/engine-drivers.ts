/** The engines that a host of this installation can run. */
import { join } from 'node:path';
import type { EngineDriver } from '../engines/driver.ts';
import { createSimulatedDriver } from '../engines/simulated/driver.ts';
import { createTritonDriver } from '../engines/triton/driver.ts';
import { createVllmDriver } from '../engines/vllm/driver.ts';
import type { Environment } from './environment.ts';

/** @param directory the host's own folder. @throws invalid-input where an engine's command has an unknown placeholder */
export function engineDrivers(environment: Environment, directory: string): EngineDriver[] {
  return [
    createSimulatedDriver({ directory: join(directory, 'specs') }),
    createTritonDriver({
      directory: join(directory, 'triton'),
      ...(environment.tritonCommand ? { command: environment.tritonCommand } : {}),
    }),
    createVllmDriver(environment.vllmCommand ? { command: environment.vllmCommand } : {}),
  ];
}
