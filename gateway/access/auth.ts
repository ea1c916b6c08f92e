/**
 * Who may use the gateway, from memory alone. A caller is known by a bearer token: a key of the gateway's own (`UELLM_API_KEY`, the admin's) or one
 * of the database, which come and go with the routing table. Where the gateway is open, bound to loopback without a key of its own, whoever is on
 * this machine and was not sent here by a foreign page is the admin; a generated key is what it is there, too. Any other token means nothing
 * there: clients of OpenAI's API cannot go without one.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { bearerToken, isGeneratedKey, isLoopbackHost, mayInfer, type Role } from '../../core/domain/access.ts';
import { FailedAttempts } from '../../core/domain/failed-attempts.ts';
import type { RoutedKey } from '../../db/queries/keys.ts';
import { hashOfSecret } from '../../db/secret-hash.ts';
import { type ApiError, foreignHost, foreignOrigin, starting, tooManyFailures, unauthorized } from '../errors.ts';

/** A key, of which only the hash is kept. */
export interface GatewayKey {
  /** null for the gateway's own. */
  id: number | null;
  /** In hexadecimal. */
  sha256: string;
  role: Role;
  /** The tenant that it belongs to; null where it may ask for any tenant. */
  tenant: string | null;
  expiresAtMs: number | null;
}

/** A key of the gateway's own. */
export function gatewayKey(secret: string, tenant: string | null = null): GatewayKey {
  return { id: null, sha256: hashOfSecret(secret), role: 'admin', tenant, expiresAtMs: null };
}

export interface Allowed {
  allowed: true;
  tenant: string | null;
  /** May it send requests to engines? */
  infers: boolean;
}
export type Access = Allowed | { allowed: false; error: ApiError };

export const EVERYBODY: Allowed = { allowed: true, tenant: null, infers: true };

/** Tokens whose key is remembered, so that they are not hashed again with each request. */
const MOST_RECENT = 10_000;

export interface KeyringOptions {
  own: readonly GatewayKey[];
  /** Whoever asks from this machine is the admin. */
  open: boolean;
  /** Further keys come with the first routing table: what is unknown until then may be known after. */
  more: boolean;
}

export class Keyring {
  readonly open: boolean;
  readonly #own: readonly GatewayKey[];
  readonly #attempts = new FailedAttempts();
  readonly #used = new Set<number>();
  /** By hash. Its lookup is not of constant time, which tells of hashes at most, and they lead to no key. */
  #keys = new Map<string, GatewayKey>();
  /** By the whole header. */
  readonly #recent = new Map<string, { key: GatewayKey; access: Allowed }>();
  #complete: boolean;

  constructor({ own, open, more }: KeyringOptions) {
    this.open = open;
    this.#own = own;
    this.#complete = !more;
    this.#put([]);
  }

  /** Puts these in force, beside the gateway's own, in place of those before. */
  replace(keys: readonly RoutedKey[]): void {
    this.#complete = true;
    this.#put(keys);
  }

  authorize(req: IncomingMessage): Access {
    const header = req.headers.authorization;
    const recent = header === undefined ? undefined : this.#recent.get(header);
    if (recent && !hasExpired(recent.key)) {
      // The chosen key of an environment can be guessed: there an address that has failed too often waits, right or wrong.
      if (recent.key.id === null) {
        const waitMs = this.#attempts.waitMs(addressOf(req), performance.now());
        if (waitMs > 0) return refused(tooManyFailures(waitMs));
      } else this.#used.add(recent.key.id);
      return recent.access;
    }
    const token = bearerToken(header);
    if (this.open && !(token !== undefined && isGeneratedKey(token))) return fromThisMachine(req);
    if (header === undefined || token === undefined)
      return refused(unauthorized('this gateway takes requests with a key: Authorization: Bearer KEY'));
    return this.#look(req, header, token);
  }

  /** Ids of the keys that were used since this was last asked. */
  takeUsed(): number[] {
    const used = [...this.#used];
    this.#used.clear();
    return used;
  }

  #look(req: IncomingMessage, header: string, token: string): Access {
    const key = this.#keys.get(hashOfSecret(token));
    const known = key !== undefined && !hasExpired(key);
    const waitMs = known && key.id !== null ? 0 : this.#attempts.waitMs(addressOf(req), performance.now());
    if (waitMs > 0) return refused(tooManyFailures(waitMs));
    if (!known) {
      if (!this.#complete) return refused(starting());
      this.#attempts.failed(addressOf(req), performance.now());
      return refused(unauthorized('the key is not known here, was revoked or has expired'));
    }
    const access: Allowed = { allowed: true, tenant: key.tenant, infers: mayInfer(key) };
    if (this.#recent.size >= MOST_RECENT) this.#recent.clear();
    this.#recent.set(header, { key, access });
    if (key.id !== null) this.#used.add(key.id);
    return access;
  }

  #put(keys: readonly RoutedKey[]): void {
    this.#keys = new Map([...keys, ...this.#own].map((key) => [key.sha256, key]));
    this.#recent.clear();
  }
}

const refused = (error: ApiError): Access => ({ allowed: false, error });
const hasExpired = ({ expiresAtMs }: GatewayKey) => expiresAtMs !== null && expiresAtMs <= Date.now();
const addressOf = (req: IncomingMessage) => req.socket.remoteAddress ?? '';

/** The Host header must be loopback, against DNS rebinding, and Origin, which browsers send, that same host: other sites' pages may not use what runs here. */
function fromThisMachine(req: IncomingMessage): Access {
  const { host = '', origin } = req.headers;
  if (!isLoopbackHost(host)) return refused(foreignHost(host));
  if (origin !== undefined) {
    const scheme = (req.socket as Partial<TLSSocket>).encrypted ? 'https' : 'http';
    if (origin.toLowerCase() !== `${scheme}://${host.toLowerCase()}`) return refused(foreignOrigin(origin));
  }
  return EVERYBODY;
}
