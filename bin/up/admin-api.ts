/** The few things that `uellm up` asks of its own admin API, as any client would. */
import type { HostResource, RolloutResource } from '../../api/schema/index.ts';
import type { DeclaredObject, ObjectKind } from '../../core/domain/objects.ts';

const PATHS: Record<ObjectKind, string> = { Host: 'hosts', Model: 'models', SloPolicy: 'slo-policies', Deployment: 'deployments' };

export interface AdminApi {
  /** Declares an object unless one of that name exists. Returns whether it did. */
  createIfAbsent(object: DeclaredObject): Promise<boolean>;
  hosts(): Promise<HostResource[]>;
  /** Newest first. */
  rolloutsOf(deployment: string): Promise<RolloutResource[]>;
  startRollout(deployment: string): Promise<void>;
}

export function createAdminApi(url: string, apiKey: string | undefined): AdminApi {
  /** @throws with the API's own words for every status that is neither a success nor in `expected` */
  async function call(method: string, path: string, body?: unknown, expected: number[] = []): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const answer = (await response.json()) as { detail?: string };
    if (!response.ok && !expected.includes(response.status)) {
      throw new Error(`${method} /api/v1/${path}: ${answer.detail ?? `HTTP ${response.status}`}`);
    }
    return { status: response.status, body: answer };
  }

  return {
    async createIfAbsent({ kind, spec }) {
      const found = await call('GET', `${PATHS[kind]}/${spec.name}`, undefined, [404]);
      if (found.status !== 404) return false;
      await call('POST', PATHS[kind], spec);
      return true;
    },
    hosts: async () => ((await call('GET', 'hosts?limit=100')).body as { items: HostResource[] }).items,
    rolloutsOf: async (name) => ((await call('GET', `rollouts?deployment=${name}`)).body as { items: RolloutResource[] }).items,
    async startRollout(deployment) {
      await call('POST', `deployments/${deployment}/rollouts`, {}, [409]); // somebody else was quicker
    },
  };
}
