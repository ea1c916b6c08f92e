import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApi, type TestApi } from '../../test/support/api.ts';
import type { OpenApiDocument } from './page.ts';
import { type JsonSchema, schemaText } from './schema-text.ts';

let api: TestApi;
let document: OpenApiDocument & { openapi: string };
beforeAll(async () => {
  api = await createTestApi();
  document = (await api.call<typeof document>('GET', '/openapi.json')).body;
});
afterAll(() => api.close());

const operations = () =>
  Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ at: `${method} ${path}`, method, path, operation })),
  );

describe('the OpenAPI document', () => {
  it('is of version 3.1 and has every resource of the contract', () => {
    expect(document.openapi).toBe('3.1.0');
    for (const resource of [
      'hosts',
      'models',
      'slo-policies',
      'tenants',
      'deployments',
      'replicas',
      'plans',
      'rollouts',
      'observations',
      'corrections',
      'profiler/status',
      'profiler/snapshots',
      'audit',
      'cost',
    ]) {
      expect(document.paths).toHaveProperty([`/api/v1/${resource}`]);
    }
    for (const action of [
      '/rollouts/{id}/pause',
      '/rollouts/{id}/abort',
      '/hosts/{name}/drain',
      '/hosts/{name}/uncordon',
      '/deployments/{name}/rollouts',
      '/rebalances',
      '/profiler/rollback',
    ]) {
      expect(document.paths).toHaveProperty([`/api/v1${action}`, 'post']);
    }
  });

  it('says of each operation what it is, what it takes, and how it answers', () => {
    for (const { at, operation } of operations()) {
      expect([at, operation.summary, operation.tags?.length ?? 0]).toEqual([at, expect.stringMatching(/./), expect.any(Number)]);
      for (const [status, answer] of Object.entries(operation.responses)) {
        if (Number(status) >= 400 && at.includes('/api/'))
          expect([at, status, Object.keys(answer.content ?? {})]).toEqual([at, status, ['application/problem+json']]);
      }
    }
  });

  it('refers to nothing that it does not hold', () => {
    const referred = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((m) => m[1]!);
    expect(referred.length).toBeGreaterThan(50);
    expect(Object.keys(document.components?.schemas ?? {})).toEqual(expect.arrayContaining([...new Set(referred)]));
  });

  it('says that unknown fields are refused', () => {
    expect(document.components?.schemas?.SloPolicyInput).toMatchObject({ additionalProperties: false, required: ['name', 'targets'] });
  });
});

describe('/docs', () => {
  it('shows every operation and loads nothing from elsewhere', async () => {
    const response = await api.app.request('/docs');
    const page = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
    for (const { method, path } of operations()) expect(page).toContain(`id="${method}-${path}"`);
    expect([...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map((m) => m[1])).toEqual([
      '/docs/style.css',
      '/docs/script.js',
      '/openapi.json',
    ]);
    for (const [asset, type] of [
      ['style.css', 'text/css'],
      ['script.js', 'text/javascript'],
    ]) {
      expect((await api.app.request(`/docs/${asset}`)).headers.get('content-type')).toContain(type);
    }
  });
});

describe('schemaText', () => {
  it.each([
    [{ type: 'string' }, 'string'],
    [{ $ref: '#/components/schemas/Host' }, 'Host'],
    [{ enum: ['a', 'b'] }, '"a" | "b"'],
    [{ type: ['integer', 'null'] }, 'integer | null'],
    [{ type: 'array', items: { enum: ['a', 'b'] } }, '("a" | "b")[]'],
    [{ type: 'object' }, '{}'],
    [{}, 'any'],
    [{ type: 'object', properties: { a: { type: 'number', minimum: 1, default: 2 } } }, '{\n  a?: number  // at least 1; default 2\n}'],
    [
      { type: 'object', required: ['a'], properties: { a: { type: 'object', additionalProperties: { type: 'string' } } } },
      '{\n  a: {\n    [name]: string\n  }\n}',
    ],
  ] as [JsonSchema, string][])('writes %j', (schema, text) => expect(schemaText(schema)).toBe(text));
});
