import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Role } from '../../core/domain/access.ts';
import type { RoutedKey } from '../../db/queries/keys.ts';
import { hashOfSecret } from '../../db/secret-hash.ts';
import { type GatewayKey, gatewayKey, Keyring } from './auth.ts';

function request(headers: IncomingMessage['headers'], remoteAddress = '10.0.0.9'): IncomingMessage {
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}

const bearer = (secret: string, remoteAddress?: string) =>
  request({ host: 'gw.example', authorization: `Bearer ${secret}` }, remoteAddress);

let nextId = 1;
function routed(secret: string, role: Role, tenant: string | null = null, expiresAtMs: number | null = null): RoutedKey {
  return { id: nextId++, sha256: hashOfSecret(secret), role, tenant, expiresAtMs };
}

const open = () => new Keyring({ own: [], open: true, more: false });
const guarded = (own: GatewayKey[] = [gatewayKey('admin')], keys: RoutedKey[] = []) => {
  const keyring = new Keyring({ own, open: false, more: false });
  keyring.replace(keys);
  return keyring;
};

afterEach(() => vi.useRealTimers());

describe('an open gateway', () => {
  it('is for Host headers of this machine only', () => {
    for (const host of ['localhost:8000', '127.0.0.1', '127.1.2.3:1', '[::1]:8000', 'LOCALHOST'])
      expect(open().authorize(request({ host }))).toEqual({ allowed: true, tenant: null, infers: true });
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:8000', '10.0.0.1', ''])
      expect(open().authorize(request({ host }))).toMatchObject({ allowed: false, error: { status: 403 } });
  });

  it('is for pages of the same origin only, by scheme, host and port', () => {
    const from = (origin: string) => open().authorize(request({ host: 'localhost:8000', origin }));
    for (const origin of ['http://localhost:8000', 'http://LOCALHOST:8000']) expect(from(origin).allowed).toBe(true);
    for (const origin of ['https://localhost:8000', 'http://localhost', 'http://localhost:8080', 'http://127.0.0.1:8000', 'null', ''])
      expect(from(origin)).toMatchObject({ allowed: false, error: { status: 403, code: 'foreign_origin' } });
  });

  it('takes no notice of the placeholders that clients send, but of generated keys', () => {
    const keyring = open();
    keyring.replace([routed('uellm_theirs', 'viewer', 'acme')]);
    const local = (authorization: string) => keyring.authorize(request({ host: 'localhost', authorization }));
    expect(local('Bearer sk-none')).toEqual({ allowed: true, tenant: null, infers: true });
    expect(local('Bearer uellm_theirs')).toEqual({ allowed: true, tenant: 'acme', infers: true });
    expect(local('Bearer uellm_other')).toMatchObject({ allowed: false, error: { status: 401 } });
  });
});

describe('a gateway with keys', () => {
  it('is for whoever has one, from anywhere', () => {
    const keyring = guarded([gatewayKey('admin'), gatewayKey('secret', 'acme')]);
    expect(keyring.authorize(bearer('admin'))).toMatchObject({ allowed: true, tenant: null });
    expect(keyring.authorize(request({ host: 'gw.example', origin: 'http://ui.example', authorization: 'bearer admin' })).allowed).toBe(
      true,
    );
    expect(keyring.authorize(bearer('secret'))).toMatchObject({ allowed: true, tenant: 'acme' });
    for (const authorization of ['Bearer wrong', 'Basic YWRtaW4=', 'Bearer', 'Bearer admin extra', undefined])
      expect(keyring.authorize(request({ host: 'localhost', authorization }))).toMatchObject({ allowed: false, error: { status: 401 } });
  });

  it.each([
    ['viewer', null, false],
    ['operator', null, true],
    ['admin', null, true],
    ['viewer', 'acme', true],
    ['admin', 'acme', true],
  ] as const)('lets a %s of tenant %s send requests: %j', (role, tenant, infers) => {
    const keyring = guarded([], [routed('uellm_k', role, tenant)]);
    expect(keyring.authorize(bearer('uellm_k'))).toEqual({ allowed: true, tenant, infers });
  });

  it('forgets a key with the next table that is without it', () => {
    const keyring = guarded([], [routed('uellm_k', 'operator')]);
    expect(keyring.authorize(bearer('uellm_k')).allowed).toBe(true);
    keyring.replace([]);
    expect(keyring.authorize(bearer('uellm_k'))).toMatchObject({ allowed: false, error: { status: 401 } });
  });

  it('lets a key expire by itself', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const keyring = guarded([], [routed('uellm_k', 'operator', null, Date.now() + 1000)]);
    expect(keyring.authorize(bearer('uellm_k')).allowed).toBe(true);
    vi.advanceTimersByTime(1000);
    expect(keyring.authorize(bearer('uellm_k'))).toMatchObject({ allowed: false, error: { status: 401 } });
  });

  it('says which keys were used, once', () => {
    const [used, unused] = [routed('uellm_used', 'operator'), routed('uellm_unused', 'operator')];
    const keyring = guarded([gatewayKey('admin')], [used, unused]);
    for (const secret of ['uellm_used', 'admin', 'uellm_used']) keyring.authorize(bearer(secret));
    expect([keyring.takeUsed(), keyring.takeUsed()]).toEqual([[used.id], []]);
    keyring.authorize(bearer('uellm_used'));
    expect(keyring.takeUsed()).toEqual([used.id]);
  });

  it('asks to come again while the first table, and its keys, are on their way', () => {
    const keyring = new Keyring({ own: [gatewayKey('admin')], open: false, more: true });
    expect(keyring.authorize(bearer('admin')).allowed).toBe(true);
    expect(keyring.authorize(bearer('uellm_k'))).toMatchObject({ allowed: false, error: { status: 503, code: 'starting' } });
  });
});

describe('an address that fails too often', () => {
  const failing = (keyring: Keyring) => {
    for (let i = 0; i < 10; i++) expect(keyring.authorize(bearer(`guess${i}`, '10.0.0.1'))).toMatchObject({ error: { status: 401 } });
  };

  it('is told when to come again, and no other address is', () => {
    const keyring = guarded();
    failing(keyring);
    expect(keyring.authorize(bearer('guess', '10.0.0.1'))).toMatchObject({ error: { status: 429, retryAfterSeconds: expect.any(Number) } });
    expect(keyring.authorize(bearer('guess', '10.0.0.2'))).toMatchObject({ error: { status: 401 } });
  });

  it('gets in with a generated key all the same, which nobody guesses, and not with one that a person chose', () => {
    const keyring = guarded([gatewayKey('admin')], [routed('uellm_k', 'operator')]);
    expect(keyring.authorize(bearer('admin', '10.0.0.1')).allowed).toBe(true);
    failing(keyring);
    expect(keyring.authorize(bearer('uellm_k', '10.0.0.1')).allowed).toBe(true);
    expect(keyring.authorize(bearer('admin', '10.0.0.1'))).toMatchObject({ allowed: false, error: { status: 429 } });
    expect(keyring.authorize(bearer('admin', '10.0.0.2')).allowed).toBe(true);
  });
});
