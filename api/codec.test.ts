import type { PayloadCodec } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApi, type TestApi } from '../test/support/api.ts';

const UI = 'https://temporal.example';
/** Turns the bytes round. */
const codec: PayloadCodec = {
  encode: async (payloads) => payloads.map((p) => ({ metadata: { encoding: Buffer.from('binary/turned') }, data: turned(p.data) })),
  decode: async (payloads) => {
    if (payloads.some((p) => Buffer.from(p.data ?? []).toString() === 'broken')) throw new Error('no such key');
    return payloads.map((p) => ({ metadata: { encoding: Buffer.from('json/plain') }, data: turned(p.data) }));
  },
};
const turned = (data: Uint8Array | null | undefined) => Buffer.from(data ?? []).reverse();
const base64 = (text: string) => Buffer.from(text).toString('base64');
const payloads = (encoding: string, data: string) => ({ payloads: [{ metadata: { encoding: base64(encoding) }, data: base64(data) }] });

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi({ apiKeys: ['secret'], open: false, codec: { codec, uiOrigin: UI } });
});
afterAll(() => api.close());

const key = { authorization: 'Bearer secret' };

describe('the codec endpoint', () => {
  it('encodes and decodes for whoever has a key', async () => {
    expect(await api.call('POST', '/codec/encode', payloads('json/plain', 'abc'), key)).toMatchObject({
      status: 200,
      body: payloads('binary/turned', 'cba'),
    });
    expect(await api.call('POST', '/codec/decode', payloads('binary/turned', 'cba'), key)).toMatchObject({
      status: 200,
      body: payloads('json/plain', 'abc'),
    });
    expect((await api.call('POST', '/codec/decode', payloads('binary/turned', 'cba'))).status).toBe(401);
  });

  it('is for pages of the UI, which may ask with credentials, and for no others', async () => {
    const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,x-namespace' };
    const { status, headers } = await api.call('OPTIONS', '/codec/decode', undefined, { origin: UI, ...asked });
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe(UI);
    expect(headers.get('access-control-allow-headers')).toBe('authorization,content-type,x-namespace');
    expect(headers.get('access-control-allow-credentials')).toBe('true');
    const answer = await api.call('POST', '/codec/decode', payloads('binary/turned', 'x'), { ...key, origin: UI });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, UI]);
    expect(
      (await api.call('POST', '/codec/decode', payloads('binary/turned', 'x'), { ...key, origin: 'https://evil.example' })).status,
    ).toBe(403);
  });

  it('says what is wrong with payloads', async () => {
    for (const body of [{}, { payloads: [{ data: 'no base64!' }] }, payloads('binary/turned', 'broken')])
      expect(await api.call('POST', '/codec/decode', body, key)).toMatchObject({ status: 422 });
  });

  it('is not there where nothing is encrypted', async () => {
    const plain = await createTestApi();
    expect((await plain.call('POST', '/codec/decode', { payloads: [] }, { host: 'localhost' })).status).toBe(404);
    await plain.close();
  });
});
