/** The fleet that is tormented: four hosts of two accelerators each, half of which two deployments use. */
import type { Installation } from '../support/installation.ts';

export const HOSTS = ['h1', 'h2', 'h3', 'h4'];
export const DEPLOYMENTS = ['chat', 'tools'];
const MODEL = 'llama-3.1-8b';

/** Declares everything, waits for the hosts and rolls the deployments out. @throws what stands in the way */
export async function declareFleet(
  { api }: Installation,
  until: <T>(what: string, look: () => Promise<T | null>) => Promise<T>,
): Promise<void> {
  for (const name of HOSTS) {
    await api('POST', '/hosts', { name, simulated: true, accelerators: [{ kind: 'L4', count: 2, usdPerHour: 0.5 }] });
  }
  await api('POST', '/models', { name: MODEL, source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
  await api('POST', '/slo-policies', {
    name: 'patient',
    match: { model: MODEL },
    targets: { e2eMs: 120_000, attainment: 0.9 },
    queue: { maxWaitMs: 120_000 },
  });
  for (const name of DEPLOYMENTS) {
    await api('POST', '/deployments', {
      name,
      model: MODEL,
      engine: { kind: 'simulated', args: { 'simulated-load-seconds': 0.3, 'max-model-len': 4096 } },
      replicas: { min: 2, max: 2 },
      demand: { requestsPerSecond: 0.5, inputTokens: 50, outputTokens: 60 },
    });
  }
  await until('hosts that are alive', async () => {
    const { items } = await api<{ items: { status: { liveness: string } }[] }>('GET', '/hosts');
    return items.filter((h) => h.status.liveness === 'alive').length === HOSTS.length ? true : null;
  });
  for (const name of DEPLOYMENTS) {
    const { id } = await api<{ id: string }>('POST', `/deployments/${name}/rollouts`);
    await until(`the end of ${id}`, async () => {
      const { status } = await api<{ status: { phase: string; reason: string } }>('GET', `/rollouts/${id}`);
      if (['failed', 'rolled-back'].includes(status.phase)) throw new Error(`${id} ${status.phase}: ${status.reason}`);
      return status.phase === 'succeeded' ? true : null;
    });
  }
}
