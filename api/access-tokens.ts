/**
 * Bearer tokens of an OIDC issuer (RFC 9068, OpenID Connect Core 1.0): signed JWTs, checked with the issuer's published keys, which are kept
 * for ten minutes and fetched again when a token names one that is not among them.
 */
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { includesRole, type Principal, type Role, roleSchema } from '../core/domain/access.ts';
import { messageOf, UellmError } from '../core/domain/errors.ts';
import { nameSchema } from '../core/domain/names.ts';

export interface TokenOptions {
  /** Exactly as in the tokens' `iss`; its keys are found by `/.well-known/openid-configuration` beneath it. */
  issuer: string;
  audience: string;
  /** Claim that holds a role or a list in which roles occur; dots lead into objects: `realm_access.roles`. */
  roleClaim: string;
  /** Claim that holds the one tenant that the caller is confined to; a token without it is of the whole fleet. */
  tenantClaim: string;
}

export interface TokenVerifier {
  /** @returns who it is, or why the token is not taken @throws unavailable when the issuer does not answer, forbidden when its claims give no role */
  verify(token: string): Promise<Principal | string>;
}

/** Asymmetric ones only: with a shared secret the verifier could sign. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const CLOCK_TOLERANCE_SECONDS = 30;
const FETCH_WITHIN_MS = 5000;

export function createTokenVerifier(options: TokenOptions): TokenVerifier {
  const { issuer, audience, roleClaim, tenantClaim } = options;
  let keys: Promise<JWTVerifyGetKey> | null = null;
  const keySet = () =>
    (keys ??= discover(issuer).catch((error) => {
      keys = null; // the next token tries again
      throw error;
    }));

  return {
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, await keySet(), {
          issuer,
          audience,
          algorithms: ALGORITHMS,
          clockTolerance: CLOCK_TOLERANCE_SECONDS,
          requiredClaims: ['exp', 'sub'],
        });
        const tenant = tenantOf(payload, tenantClaim);
        return { actor: `oidc:${payload.sub}`, role: roleOf(payload, roleClaim), tenant };
      } catch (error) {
        if (error instanceof UellmError) throw error;
        if (isTokensFault(error)) return `the token is not valid: ${messageOf(error)}`;
        throw new UellmError({ kind: 'unavailable', what: 'the OIDC issuer', reason: messageOf(error) }, { cause: error });
      }
    },
  };
}

async function discover(issuer: string): Promise<JWTVerifyGetKey> {
  const address = `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(address, { signal: AbortSignal.timeout(FETCH_WITHIN_MS) });
  if (!response.ok) throw new Error(`${address} answers ${response.status}`);
  const found = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
  if (found.issuer !== issuer) throw new Error(`${address} is of issuer ${JSON.stringify(found.issuer)}`);
  if (typeof found.jwks_uri !== 'string' || !URL.canParse(found.jwks_uri)) throw new Error(`${address} names no jwks_uri`);
  if (new URL(found.jwks_uri).protocol !== new URL(issuer).protocol)
    throw new Error(`its keys are at ${found.jwks_uri}: not as its issuer`);
  return createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: FETCH_WITHIN_MS });
}

const TOKENS_FAULTS = [
  errors.JWTClaimValidationFailed,
  errors.JWTExpired,
  errors.JWTInvalid,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
];

function isTokensFault(error: unknown): boolean {
  return TOKENS_FAULTS.some((fault) => error instanceof fault);
}

/** The most that the claim names. @throws forbidden */
function roleOf(payload: JWTPayload, claim: string): Role {
  const value = claimOf(payload, claim);
  const named = roleSchema.options.filter((role) => value === role || (Array.isArray(value) && value.includes(role)));
  const [first, ...others] = named;
  if (!first)
    throw new UellmError({ kind: 'forbidden', reason: `the token's claim '${claim}' names none of ${roleSchema.options.join(', ')}` });
  return others.reduce((most, role) => (includesRole(role, most) ? role : most), first);
}

/** @throws forbidden for anything but a name: nobody gets the whole fleet by a claim that cannot be read */
function tenantOf(payload: JWTPayload, claim: string): string | null {
  const value = claimOf(payload, claim);
  if (value === undefined || value === null) return null;
  const name = nameSchema.safeParse(value);
  if (!name.success) throw new UellmError({ kind: 'forbidden', reason: `the token's claim '${claim}' is not the name of a tenant` });
  return name.data;
}

/** A claim of that very name (namespaced ones hold dots), or else the way that its dots lead. */
function claimOf(payload: JWTPayload, claim: string): unknown {
  if (Object.hasOwn(payload, claim)) return payload[claim];
  let value: unknown = payload;
  for (const part of claim.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
