import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { readEnvironment } from '../environment.ts';
import { freePort } from '../processes/ports.ts';
import { checkPorts } from './ports.ts';

it('names the variable of a port that is taken, and asks for none that we do not need', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const taken = String((server.address() as { port: number }).port);
  const free = async () => String(await freePort());
  const ports = {
    UELLM_API_PORT: await free(),
    UELLM_GATEWAY_PORT: await free(),
    UELLM_PROFILER_PORT: await free(),
    UELLM_TEMPORAL_UI_PORT: await free(),
  };
  const environment = readEnvironment({ ...ports, UELLM_TEMPORAL_PORT: taken });
  await expect(checkPorts(environment)).rejects.toThrow(`UELLM_TEMPORAL_PORT: got ${taken}, allowed is a port that is free`);
  await checkPorts(readEnvironment({ ...ports, UELLM_TEMPORAL_PORT: taken, TEMPORAL_ADDRESS: 'temporal:7233' }));
  server.close();
});
