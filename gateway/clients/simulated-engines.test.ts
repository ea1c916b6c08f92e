/** The gateway in front of simulated engines: drained under load without a loss, freed of clients that left. */
import { afterEach, describe, expect, it } from 'vitest';
import { shapeOf } from '../../core/domain/model-spec.ts';
import { measuredStepTime } from '../../core/domain/step-time.ts';
import { type SimulatedEngine, startSimulatedEngine } from '../../engines/simulated/server.ts';
import { parseSettings } from '../../engines/simulated/settings.ts';
import { type RoutedGateway, routedReplica, startRoutedGateway, until } from '../../test/support/gateway.ts';

const MODEL = { name: 'llama-3.1-8b', source: 'hf://meta-llama/Llama-3.1-8B-Instruct', dtype: 'bf16' } as const;

const engines: SimulatedEngine[] = [];
let gateway: RoutedGateway;
afterEach(async () => {
  await gateway.close();
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
});

async function start(replicaId: string, accelerator: string) {
  const stepTime = measuredStepTime(MODEL.name, accelerator, 1)!.coefficients;
  const settings = parseSettings({
    replicaId,
    deployment: 'chat',
    model: MODEL.name,
    source: MODEL.source,
    shape: shapeOf(MODEL),
    acceleratorKind: accelerator,
    tensorParallel: 1,
    stepTime,
    kvCacheTokens: 200_000,
    maxSequences: 64,
    args: { 'simulated-load-seconds': 0, 'scheduling-policy': 'priority', 'shutdown-timeout': 10 },
  });
  const engine = await startSimulatedEngine(settings, { address: '127.0.0.1', port: 0 });
  engines.push(engine);
  return {
    engine,
    row: routedReplica({ replicaId, endpoint: engine.url, engine: 'simulated', simulated: true, stepTime, kvCacheTokens: 200_000 }),
  };
}

async function chat(tokens: number, init: { signal?: AbortSignal } = {}): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'chat',
      messages: [{ role: 'user', content: 'Tell me about the sea.' }],
      stream: true,
      simulated_output_tokens: tokens,
    }),
    ...init,
  });
}

describe('in front of simulated engines', () => {
  it('loses nothing when a replica leaves the table under load and its engine then ends', async () => {
    gateway = await startRoutedGateway();
    const leaves = await start('leaves', 'B200-SXM');
    const stays = await start('stays', 'B200-SXM');
    gateway.route([leaves.row, stays.row]);
    const ends: string[] = [];
    let stop = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!stop) ends.push(await (await chat(60)).text());
    });
    await until(() => ends.length >= 16, 15_000);
    gateway.route([stays.row]);
    await leaves.engine.close();
    const atStop = ends.length;
    await until(() => ends.length >= atStop + 16, 15_000);
    stop = true;
    await Promise.all(clients);
    expect(ends.filter((text) => !text.endsWith('data: [DONE]\n\n'))).toEqual([]);
  }, 40_000);

  it('frees an engine of a request whose client has left', async () => {
    gateway = await startRoutedGateway();
    const { engine, row } = await start('r1', 'L40S');
    gateway.route([row]);
    const leave = new AbortController();
    const response = await chat(5000, { signal: leave.signal });
    await response.body!.getReader().read();
    const running = async () => /^vllm:num_requests_running\{.*\} (\S+)/m.exec(await (await fetch(`${engine.url}/metrics`)).text())?.[1];
    expect(Number(await running())).toBe(1);
    leave.abort();
    await until(async () => Number(await running()) === 0);
  });
});
