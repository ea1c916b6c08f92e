import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApi, type TestApi } from '../test/support/api.ts';
import { createTokenVerifier } from './access-tokens.ts';

let server: Server;
let issuer: string;
let key: CryptoKey;
let fetched = 0;

beforeAll(async () => {
  const pair = await generateKeyPair('ES256');
  key = pair.privateKey;
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  server = createServer((req, res) => {
    const documents: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` },
      '/keys': { keys: [jwk] },
    };
    if (req.url === '/keys') fetched++;
    res.writeHead(documents[req.url ?? ''] ? 200 : 404, { 'content-type': 'application/json' });
    res.end(JSON.stringify(documents[req.url ?? ''] ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const nowSeconds = () => Math.floor(Date.now() / 1000);
const sign = (
  claims: JWTPayload,
  signer: CryptoKey | Uint8Array = key,
  header: { alg: string; kid?: string } = { alg: 'ES256', kid: 'k1' },
) =>
  new SignJWT({ iss: issuer, aud: 'uellm', sub: 'ada', exp: nowSeconds() + 60, roles: ['operator'], ...claims })
    .setProtectedHeader(header)
    .sign(signer);
const verifier = (options: Partial<Parameters<typeof createTokenVerifier>[0]> = {}) =>
  createTokenVerifier({ issuer, audience: 'uellm', roleClaim: 'roles', tenantClaim: 'tenant', ...options });

describe('a token', () => {
  it('says who it is, by the issuer’s published keys, which are fetched once', async () => {
    const tokens = verifier();
    fetched = 0;
    for (let i = 0; i < 3; i++) expect(await tokens.verify(await sign({}))).toEqual({ actor: 'oidc:ada', role: 'operator', tenant: null });
    expect(fetched).toBe(1);
  });

  it.each<[string, JWTPayload, object]>([
    ['the highest of its roles', { roles: ['viewer', 'other', 'admin'] }, { role: 'admin' }],
    ['a role that is no list', { roles: 'viewer' }, { role: 'viewer' }],
    ['a tenant', { tenant: 'acme' }, { tenant: 'acme' }],
    ['a clock that is half a minute off', { exp: nowSeconds() - 20 }, { role: 'operator' }],
    ['several audiences', { aud: ['other', 'uellm'] }, { role: 'operator' }],
  ])('may have %s', async (_, claims, expected) => expect(await verifier().verify(await sign(claims))).toMatchObject(expected));

  it('has its role and tenant where the settings say, in objects, too', async () => {
    const claims = { realm_access: { roles: ['admin'] }, 'https://uellm.example/tenant': 'acme' };
    const tokens = verifier({ roleClaim: 'realm_access.roles', tenantClaim: 'https://uellm.example/tenant' });
    expect(await tokens.verify(await sign(claims))).toMatchObject({ role: 'admin', tenant: 'acme' });
  });

  it.each<[string, JWTPayload]>([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['for another audience', { aud: 'other' }],
    ['that has expired', { exp: nowSeconds() - 120 }],
    ['that is not valid yet', { nbf: nowSeconds() + 120 }],
    ['without an end', { exp: undefined }],
    ['without a subject', { sub: undefined }],
  ])('%s is not taken', async (_, claims) => expect(await verifier().verify(await sign(claims))).toMatch(/^the token is not valid: /));

  it('signed by another key, by a shared secret, by nobody, or that is none, is not taken', async () => {
    const other = (await generateKeyPair('ES256')).privateKey;
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign({})).split('.')[1]}.`;
    const forged = [
      await sign({}, other),
      await sign({}, other, { alg: 'ES256', kid: 'k2' }),
      await sign({}, new Uint8Array(32), { alg: 'HS256', kid: 'k1' }),
      none,
      'x.y.z',
      'anything',
    ];
    for (const token of forged) expect(await verifier().verify(token)).toMatch(/^the token is not valid: /);
  });

  it.each([
    ['no role', { roles: ['reader'] }],
    ['no claim of roles', { roles: undefined }],
    ['a tenant that is no name', { tenant: ['acme'] }],
  ])('with %s is of nobody that may ask', async (_, claims) =>
    expect(verifier().verify(await sign(claims))).rejects.toMatchObject({ detail: { kind: 'forbidden' } }),
  );

  it('waits for an issuer that is away, and is no failure of the caller', async () => {
    const away = createTokenVerifier({ issuer: 'http://127.0.0.1:1', audience: 'uellm', roleClaim: 'roles', tenantClaim: 'tenant' });
    await expect(away.verify(await sign({}))).rejects.toMatchObject({ detail: { kind: 'unavailable' } });
    const misnamed = verifier({ issuer: `${issuer}/` });
    await expect(misnamed.verify(await sign({}))).rejects.toMatchObject({ detail: { kind: 'unavailable' } });
  });
});

describe('an API that takes tokens', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await createTestApi({ open: false, tokens: verifier() });
  });
  afterAll(() => api.close());
  const call = async (method: string, path: string, token: string, body?: unknown) =>
    api.call(method, `/api/v1/${path}`, body, { authorization: `Bearer ${token}` });

  it('names their subjects in the audit trail, and holds them to their roles and tenants', async () => {
    const policy = { name: 'p', targets: { ttftMs: 5 } };
    expect((await call('POST', 'slo-policies', await sign({ roles: 'viewer' }), policy)).status).toBe(403);
    expect((await call('POST', 'slo-policies', await sign({}), policy)).status).toBe(201);
    expect((await call('GET', 'audit', await sign({}))).body).toMatchObject({ items: [{ actor: 'oidc:ada' }] });
    expect((await call('GET', 'hosts', await sign({ tenant: 'acme' }))).status).toBe(403);
    expect((await call('GET', 'info', 'x.y.z')).status).toBe(401);
    expect((await call('GET', 'info', await sign({ roles: [] }))).status).toBe(403);
    expect((await api.call('GET', '/api/v1/info')).status).toBe(401);
  });
});
