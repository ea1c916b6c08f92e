import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApi, type TestApi } from '../test/support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

const post = async (body: string, type = 'application/json') => {
  const response = await api.app.request('/api/v1/models', { method: 'POST', body, headers: { 'content-type': type } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const config = { num_hidden_layers: 2, hidden_size: 64, num_attention_heads: 2, intermediate_size: 128, vocab_size: 256 };
const model = (extra: Record<string, unknown>) => JSON.stringify({ name: 'm', source: 'hf://a/b', config: { ...config, ...extra } });

describe('a request body', () => {
  it.each([
    ['not JSON', '{"name": ', 400, 'malformed-request'],
    ['a list', '[]', 422, 'invalid-input'],
    ['a text', '"x"', 422, 'invalid-input'],
    ['null', 'null', 422, 'invalid-input'],
    ['nothing', '', 422, 'invalid-input'],
    ['a NUL in a text', model({ note: 'a\0b' }), 422, 'invalid-input'],
    ['a NUL in a name', model({ 'a\0b': 1 }), 422, 'invalid-input'],
    ['half a surrogate pair', '{"name":"m","source":"hf://a/b","config":{"note":"\\ud800"}}', 422, 'invalid-input'],
    ['a deep nest', `{"name":"m","config":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 422, 'invalid-input'],
    ['more than a mebibyte', model({ note: 'x'.repeat(1024 * 1024) }), 413, 'too-large'],
  ])('that is or has %s is refused', async (_, body, status, type) => {
    expect(await post(body)).toMatchObject({ status, body: { type: `urn:uellm:problem:${type}`, status } });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])('of type %s is refused', async (type) => {
    expect(await post(model({}), type)).toMatchObject({ status: 415, body: { type: 'urn:uellm:problem:unsupported-media-type' } });
  });

  it('keeps the fields of somebody else’s format', async () => {
    expect(await post(model({ rope_theta: 500_000, note: '🙂' }), 'application/json; charset=utf-8')).toMatchObject({
      status: 201,
      body: { config: { rope_theta: 500_000, note: '🙂' }, status: { shape: { maxContextTokens: 8192 } } },
    });
  });
});

describe('addresses', () => {
  it.each([
    ['GET', '/api/v1/nothing', 404],
    ['GET', '/api/v1/models/', 404],
    ['GET', '/api/v1/models/NOT-A-NAME', 404],
    ['GET', '/api/v1/models/%00', 404],
    ['GET', '/api/v1/models/..%2f..', 404],
    ['GET', '/api/v1/audit/x', 404],
    ['GET', '/api/v1/audit/99999999999999999999', 404],
    ['GET', '/api/v1/rollouts/%00', 404],
    ['GET', '/nothing', 404],
    ['PATCH', '/api/v1/models', 405],
    ['POST', '/api/v1/replicas', 405],
    ['DELETE', '/openapi.json', 405],
  ])('%s %s answers %i as a problem', async (method, path, status) => {
    const answer = await api.call(method, path);
    expect([answer.status, answer.headers.get('content-type'), answer.body.status]).toEqual([status, 'application/problem+json', status]);
    if (status === 405) expect(answer.headers.get('allow')).toMatch(/GET/);
  });
});
