import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conflict, UellmError } from '../../../core/domain/errors.ts';
import type { HostProbe } from '../../../core/domain/host-probe.ts';
import { loadRoutingTable } from '../../../db/queries/routing.ts';
import { hosts } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { aReplica } from '../../../test/support/rows.ts';
import { NO_DRAIN } from '../../actions.ts';
import { drainSchema, hostResourceSchema } from '../../schema/hosts.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/models', { name: 'llama-3.1-8b', source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
  await api.call('POST', '/api/v1/models', { name: 'llama-3.1-70b', source: 'hf://meta-llama/Llama-3.1-70B-Instruct' });
  await api.call('POST', '/api/v1/models', { name: 'mystery', source: 'hf://who/knows' });
});
afterAll(() => api.close());

const host = (name: string, fields: Record<string, unknown> = {}) => ({
  name,
  accelerators: [{ kind: 'h100', count: 4 }],
  simulated: true,
  ...fields,
});
const create = (spec: Record<string, unknown>) => api.call('POST', '/api/v1/hosts', spec);
const set = (name: string, fields: Partial<typeof hosts.$inferInsert>) => api.db.update(hosts).set(fields).where(eq(hosts.name, name));

describe('hosts', () => {
  it('are declared by catalog names or aliases, and pending until heard of', async () => {
    const { body } = await create(host('h1'));
    expect(hostResourceSchema.parse(body)).toMatchObject({
      accelerators: [{ kind: 'H100-SXM', count: 4 }],
      links: [],
      status: {
        version: 1,
        liveness: 'pending',
        service: 'schedulable',
        replicas: 0,
        accelerators: { total: 4, claimed: 0 },
        lastDrain: null,
      },
    });
  });

  it('name every accelerator kind that there is when one is not known', async () => {
    const { status, body } = await create(host('bad', { accelerators: [{ kind: 'H900', count: 0 }] }));
    expect([status, body.issues]).toMatchObject([
      422,
      [
        { field: 'accelerators[0].kind', given: '"H900"' },
        { field: 'accelerators[0].count', given: '0' },
      ],
    ]);
    expect(JSON.stringify(body.issues)).toContain('MI300X');
  });

  it('keep their accelerators while replicas stand on them, and are not deleted then', async () => {
    await create(host('busy'));
    await aReplica(api.db, { id: 'r-busy', host: 'busy' });
    const put = await api.call('PUT', '/api/v1/hosts/busy', host('busy', { accelerators: [{ kind: 'L40S', count: 4 }] }));
    expect(put).toMatchObject({ status: 409, body: { detail: expect.stringContaining('r-busy') } });
    const priced = host('busy', { accelerators: [{ kind: 'H100-SXM', count: 4, usdPerHour: 2 }] });
    expect((await api.call('PUT', '/api/v1/hosts/busy', priced)).status).toBe(200);
    expect(await api.call('DELETE', '/api/v1/hosts/busy')).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('r-busy') },
    });
  });

  it('are not deleted while their worker is alive', async () => {
    await create(host('living'));
    await set('living', { liveness: 'alive' });
    expect(await api.call('DELETE', '/api/v1/hosts/living')).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('alive') },
    });
    await set('living', { liveness: 'lost' });
    expect((await api.call('DELETE', '/api/v1/hosts/living')).status).toBe(204);
  });
});

describe('what hosts find in themselves', () => {
  const found = (index: number) => ({ index, kind: 'H100-SXM', name: 'NVIDIA H100 80GB HBM3', vendor: 'NVIDIA', memoryBytes: 85e9 });
  const probe: HostProbe = {
    accelerators: [found(0), found(2), found(3)],
    links: [{ kind: 'nvlink', pairs: [[0, 2]] }],
    problems: [{ tool: 'nvidia-smi', kind: 'unusable', message: 'accelerator 1 does not work' }],
    listed: ['NVIDIA'],
  };

  it('stands beside what is declared, in a sentence', async () => {
    await create(host('seven', { simulated: false }));
    expect((await api.call('GET', '/api/v1/hosts/seven')).body).toMatchObject({ status: { inventory: null } });
    await set('seven', { probe });
    const { body } = await api.call('GET', '/api/v1/hosts/seven');
    const { listed: _, ...shown } = probe;
    expect(hostResourceSchema.parse(body).status.inventory).toEqual({
      ...shown,
      difference: 'declared 4 H100-SXM, found 3; nothing is placed on accelerator 1',
      absent: [1],
    });
  });

  it('is of no account on a simulated host', async () => {
    await create(host('imitated'));
    await set('imitated', { probe });
    expect((await api.call('GET', '/api/v1/hosts/imitated')).body).toMatchObject({ status: { inventory: null } });
  });
});

describe('external hosts', () => {
  const external = (...endpoints: [url: string, model: string][]) => ({ endpoints: endpoints.map(([url, model]) => ({ url, model })) });
  const routed = async (name: string) => (await loadRoutingTable(api.db)).replicas.filter((r) => r.host === name);

  it('are routed from the moment they are declared, until their endpoints go', async () => {
    const two = external(['http://10.0.0.1:8000/v1/', 'llama-3.1-8b'], ['http://10.0.0.1:8001', 'llama-3.1-70b']);
    const spec = { name: 'ext', accelerators: [{ kind: 'H200-SXM', count: 4 }] };
    expect((await create({ ...spec, external: two })).status).toBe(201);
    const before = await routed('ext');
    expect(before).toMatchObject([
      { model: expect.any(String), weight: 100, generation: 1, engine: 'vllm', simulated: false, deployment: 'external/ext' },
      {},
    ]);
    expect(before.map((r) => r.endpoint).sort()).toEqual(['http://10.0.0.1:8000', 'http://10.0.0.1:8001']);
    expect(before.every((r) => r.kvCacheTokens > 100_000 && r.stepTime.d0 > 0)).toBe(true);

    const one = external(['http://10.0.0.1:8000', 'llama-3.1-8b'], ['http://10.0.0.1:9999', 'llama-3.1-70b']);
    expect((await api.call('PUT', '/api/v1/hosts/ext', { ...spec, external: one })).status).toBe(200);
    const after = await routed('ext');
    expect(after.map((r) => r.endpoint).sort()).toEqual(['http://10.0.0.1:8000', 'http://10.0.0.1:9999']);
    const kept = before.find((r) => r.endpoint.endsWith('8000'))!.replicaId;
    expect(after.map((r) => r.replicaId)).toContain(kept);

    expect(await api.call('DELETE', '/api/v1/models/llama-3.1-8b')).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('ext') },
    });
    expect((await api.call('POST', '/api/v1/hosts/ext/drain')).status).toBe(409);
    expect((await api.call('PUT', '/api/v1/hosts/ext', spec)).body).toMatchObject({ issues: [{ field: 'external' }] });

    expect((await api.call('DELETE', '/api/v1/hosts/ext')).status).toBe(204);
    expect(await routed('ext')).toEqual([]);
  });

  it('of both kinds are routed as what they are, with what the flags of their engines let them hold', async () => {
    const endpoint = (port: number, more: object) => ({ url: `http://10.0.0.2:${port}`, model: 'llama-3.1-8b', ...more });
    const spec = (...endpoints: object[]) => ({ name: 'ext2', accelerators: [{ kind: 'H200-SXM', count: 2 }], external: { endpoints } });
    const lean = { engine: 'triton', args: { 'gpu-memory-utilization': 0.5, 'max-num-seqs': 32 } };
    expect((await create(spec(endpoint(8000, {}), endpoint(8010, lean)))).status).toBe(201);
    const byPort = async (port: number) => (await routed('ext2')).find((r) => r.endpoint.endsWith(`:${port}`))!;
    expect(await byPort(8000)).toMatchObject({ engine: 'vllm', maxInFlight: 256 });
    expect(await byPort(8010)).toMatchObject({ engine: 'triton', maxInFlight: 32, chat: null });
    expect((await byPort(8010)).kvCacheTokens).toBeLessThan(0.6 * (await byPort(8000)).kvCacheTokens);
    // What has not changed stays the replica that it was.
    const { replicaId } = await byPort(8000);
    const other = { ...lean, args: { 'max-num-seqs': 64 } };
    expect((await api.call('PUT', '/api/v1/hosts/ext2', spec(endpoint(8000, {}), endpoint(8010, other)))).status).toBe(200);
    expect([(await byPort(8000)).replicaId, (await byPort(8010)).maxInFlight]).toEqual([replicaId, 64]);
    const simulated = await api.call('PUT', '/api/v1/hosts/ext2', spec(endpoint(8000, { engine: 'simulated' }), endpoint(8010, lean)));
    expect([simulated.status, simulated.body.issues]).toMatchObject([422, [{ field: 'external.endpoints[0].engine' }]]);
    expect((await api.call('DELETE', '/api/v1/hosts/ext2')).status).toBe(204);
  });

  it.each([
    ['an unknown model', [['http://a:1', 'nobody']], 'external.endpoints[0].model'],
    ['a model without a config', [['http://a:1', 'mystery']], 'external.endpoints[0].model'],
    [
      'a model that does not fit',
      [
        ['http://a:1', 'llama-3.1-8b'],
        ['http://a:2', 'llama-3.1-70b'],
      ],
      'external.endpoints[1].model',
    ],
    [
      'one URL twice',
      [
        ['http://a:1', 'llama-3.1-8b'],
        ['http://a:1/v1', 'llama-3.1-8b'],
      ],
      'external.endpoints[1].url',
    ],
    [
      'a number that does not split',
      [
        ['http://a:1', 'llama-3.1-8b'],
        ['http://a:2', 'llama-3.1-8b'],
        ['http://a:3', 'llama-3.1-8b'],
      ],
      'external.endpoints',
    ],
    ['no URL', [['ftp://a:1', 'llama-3.1-8b']], 'external.endpoints[0].url'],
  ] as [string, [string, string][], string][])('are refused with %s', async (_, endpoints, field) => {
    const answer = await create({ name: 'wrong', accelerators: [{ kind: 'H100-SXM', count: 2 }], external: external(...endpoints) });
    expect([answer.status, answer.body.issues]).toMatchObject([422, [{ field }]]);
    expect((await api.call('GET', '/api/v1/hosts/wrong')).status).toBe(404);
  });
});

describe('draining', () => {
  const status = { ...NO_DRAIN, host: 'd', phase: 'replacing' as const, reason: 'moving', planId: 'p', remaining: ['r'], deadlineMs: 5000 };
  const service = async (name: string) =>
    (await api.call<{ status: { service: string } }>('GET', `/api/v1/hosts/${name}`)).body.status.service;

  it('cordons at once, starts the workflow, and says where to look', async () => {
    await create(host('d'));
    const { status: code, headers, body } = await api.call('POST', '/api/v1/hosts/d/drain');
    expect([code, body, headers.get('location')]).toEqual([202, { host: 'd', workflowId: 'drain-d' }, '/api/v1/hosts/d/drain']);
    expect(api.actions.startDrain).toHaveBeenLastCalledWith('d', 'admin', {});
    expect(await service('d')).toBe('cordoned');

    api.actions.drainStatus.mockResolvedValueOnce({ running: true, status });
    const drain = await api.call('GET', '/api/v1/hosts/d/drain');
    const { deadlineMs: _, ...told } = status;
    expect(drainSchema.parse(drain.body)).toEqual({
      ...told,
      open: [{ replicaId: 'r', open: 0, gatewaysBehind: [] }],
      deadlineAt: '1970-01-01T00:00:05.000Z',
      running: true,
      workflowId: 'drain-d',
    });
  });

  it('takes a deadline and what is to happen then', async () => {
    await create(host('due'));
    const options = { deadlineSeconds: 600, onDeadline: 'migrate', maxUnavailable: 1 } as const;
    expect((await api.call('POST', '/api/v1/hosts/due/drain', options)).status).toBe(202);
    expect(api.actions.startDrain).toHaveBeenLastCalledWith('due', 'admin', options);
    const wrong = await api.call('POST', '/api/v1/hosts/due/drain', { onDeadline: 'kill' });
    expect([wrong.status, wrong.body]).toMatchObject([422, { issues: [{ field: 'onDeadline' }] }]);
    const without = await api.call('POST', '/api/v1/hosts/due/drain', { onDeadline: 'abort' });
    expect([without.status, without.body]).toMatchObject([
      422,
      { issues: [{ field: 'onDeadline', given: '"abort"', allowed: expect.stringContaining('deadlineSeconds') }] },
    ]);
  });

  it('is refused where the host is drained already, and keeps the receipt', async () => {
    await create(host('done'));
    await set('done', { service: 'drained', reason: 'drained' });
    const { status: code, body } = await api.call('POST', '/api/v1/hosts/done/drain');
    expect([code, body]).toMatchObject([409, { detail: expect.stringContaining('drained already; uncordon it') }]);
    expect(await service('done')).toBe('drained');
    expect((await api.call('POST', '/api/v1/hosts/nobody/drain')).status).toBe(404);
  });

  it('changes nothing where the workflow does not start', async () => {
    await create(host('e'));
    api.actions.startDrain.mockRejectedValueOnce(conflict('host', 'e', 'a drain of it is running already'));
    expect((await api.call('POST', '/api/v1/hosts/e/drain')).status).toBe(409);
    api.actions.startDrain.mockRejectedValueOnce(new UellmError({ kind: 'unavailable', what: 'Temporal', reason: 'away' }));
    const answer = await api.call('POST', '/api/v1/hosts/e/drain');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await service('e')).toBe('schedulable');
    expect((await api.call<{ items: unknown[] }>('GET', '/api/v1/audit?name=e')).body.items).toHaveLength(1);
  });

  it('is told from the stored receipt once Temporal has forgotten it, and is not found where there was none', async () => {
    await create(host('f'));
    expect((await api.call('GET', '/api/v1/hosts/f/drain')).status).toBe(404);
    const receipt = {
      ...{ host: 'f', planId: 'p', moved: [], seconds: 3, requestsFinished: 2, requestsDropped: 0 },
      ...{ requestsRetried: 0, requestsUnknown: 0, gatewaysLost: 0 },
    };
    await set('f', { drain: receipt, service: 'drained', reason: 'drained' });
    const drain = await api.call('GET', '/api/v1/hosts/f/drain');
    expect(drain.body).toMatchObject({ phase: 'drained', running: false, receipt });
    expect((await api.call('GET', '/api/v1/hosts/f')).body).toMatchObject({ status: { lastDrain: receipt } });
  });

  it('ends by uncordon: cancelled where it runs, else the host is schedulable at once', async () => {
    await create(host('g'));
    await api.call('POST', '/api/v1/hosts/g/drain');
    api.actions.cancelDrain.mockResolvedValueOnce(true);
    expect((await api.call('POST', '/api/v1/hosts/g/uncordon')).body).toMatchObject({ status: { service: 'cordoned' } });
    expect((await api.call('POST', '/api/v1/hosts/g/uncordon')).body).toMatchObject({ status: { service: 'schedulable', reason: '' } });
    expect((await api.call('POST', '/api/v1/hosts/nobody/uncordon')).status).toBe(404);
  });
});
