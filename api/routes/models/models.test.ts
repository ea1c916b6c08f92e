import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { modelResourceSchema } from '../../schema/models.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

describe('models', () => {
  it('show the size that follows from a known config', async () => {
    const { body } = await api.call('POST', '/api/v1/models', { name: 'llama-3.1-8b', source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
    const { dtype, status } = modelResourceSchema.parse(body);
    expect(dtype).toBe('bf16');
    expect(status.shape).toMatchObject({ kvBytesPerToken: 131_072, maxContextTokens: 131_072 });
  });

  it('show none before their config is known', async () => {
    const { body } = await api.call('POST', '/api/v1/models', { name: 'tiny', source: 'file:///models/tiny' });
    expect(body).toMatchObject({ status: { shape: null, deployments: [] } });
  });

  it('are not deleted while a deployment serves them', async () => {
    await api.call('POST', '/api/v1/deployments', { name: 'chat', model: 'llama-3.1-8b', engine: { kind: 'simulated' } });
    expect((await api.call('GET', '/api/v1/models/llama-3.1-8b')).body).toMatchObject({ status: { deployments: ['chat'] } });
    expect(await api.call('DELETE', '/api/v1/models/llama-3.1-8b')).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('chat') },
    });
    await api.call('DELETE', '/api/v1/deployments/chat');
    expect((await api.call('DELETE', '/api/v1/models/llama-3.1-8b')).status).toBe(204);
  });

  it.each(['meta-llama/Llama', 'https://huggingface.co/x/y', 'hf://only-one', 'file://relative'])(
    'refuse the source %s',
    async (source) => {
      expect((await api.call('POST', '/api/v1/models', { name: 'x', source })).body).toMatchObject({
        issues: [{ field: 'source', allowed: 'hf://OWNER/NAME[@REVISION] or file:///PATH' }],
      });
    },
  );
});
