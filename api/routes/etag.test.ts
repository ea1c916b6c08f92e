import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApi, type TestApi } from '../../test/support/api.ts';
import type { Problem } from '../schema/index.ts';

interface Operation {
  parameters?: { in: string; name: string }[];
  responses: Record<string, unknown>;
}

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

const if1 = { 'if-match': '"1"', 'content-type': 'application/json' };

it('passes If-Match over on no write: what has no versions refuses it', async () => {
  const { paths } = (await api.call<{ paths: Record<string, Record<string, Operation>> }>('GET', '/openapi.json')).body;
  const writes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => (method === 'get' ? [] : [{ path, method, operation }])),
  );
  const taken = writes.filter(({ operation }) => operation.parameters?.some((p) => p.in === 'header' && p.name === 'if-match'));
  expect(new Set(taken.map(({ method }) => method))).toEqual(new Set(['put', 'delete']));
  const others = writes.filter((write) => !taken.includes(write));
  expect(others.map(({ path }) => path)).toContain('/api/v1/proposals/{id}/approve');
  for (const { path, method, operation } of others) {
    const { status, body } = await api.call<Problem>(method.toUpperCase(), path.replace(/\{\w+\}/g, '1'), {}, if1);
    expect([method, path, status, body.detail]).toEqual([
      method,
      path,
      412,
      expect.stringMatching(/^If-Match names "1", and nothing here/),
    ]);
    expect(Object.keys(operation.responses)).toContain('412');
  }
});

it('takes any version for what has none', async () => {
  const headers = { ...if1, 'if-match': ' * ' };
  expect((await api.call('POST', '/api/v1/slo-policies', { name: 'any', targets: { ttftMs: 5 } }, headers)).status).toBe(201);
});
