import { createRoute as createUndeclaredRoute, OpenAPIHono } from '@hono/zod-openapi';
import { describe, expect, it } from 'vitest';
import type { ApiEnv } from '../context.ts';
import { checkAccessDeclared, createRoute } from './route.ts';

const responses = { 200: { description: 'It is.' } };

describe('an API', () => {
  it('starts with routes that say who may ask', () => {
    const app = new OpenAPIHono<ApiEnv>();
    app.openapi(createRoute({ method: 'get', path: '/api/v1/things/{name}', access: { role: 'viewer' }, responses }), (c) =>
      c.body(null, 200),
    );
    app.use('/api/*', (_, next) => next());
    app.get('/healthz', (c) => c.body(null, 200));
    expect(() => checkAccessDeclared(app)).not.toThrow();
  });

  it('does not start with one that forgot, whatever it was made with', () => {
    const undeclared = new OpenAPIHono<ApiEnv>();
    undeclared.openapi(createUndeclaredRoute({ method: 'get', path: '/api/v1/things', responses }), (c) => c.body(null, 200));
    expect(() => checkAccessDeclared(undeclared)).toThrow('GET /api/v1/things does not declare who may ask');
    const everything = new OpenAPIHono<ApiEnv>();
    everything.all('/api/v1/things', (c) => c.body(null, 200));
    expect(() => checkAccessDeclared(everything)).toThrow('ALL /api/v1/things does not declare who may ask');
    const plain = new OpenAPIHono<ApiEnv>();
    plain.post('/api/v1/things', (c) => c.body(null, 200));
    expect(() => checkAccessDeclared(plain)).toThrow('POST /api/v1/things does not declare who may ask');
  });
});
