/** What must hold between variables, and how an error speaks of them. */
import { z } from 'zod';
import { isLoopbackAddress } from '../../core/domain/access.ts';
import { UellmError } from '../../core/domain/errors.ts';
import { parseInput } from '../../core/domain/validate.ts';
import type { Environment } from '../environment.ts';
import { environmentFields } from './fields.ts';

/** The variable behind each port, for errors about a taken one. */
export const PORT_VARIABLES: Readonly<Record<keyof Environment['ports'], string>> = {
  api: 'UELLM_API_PORT',
  gateway: 'UELLM_GATEWAY_PORT',
  profiler: 'UELLM_PROFILER_PORT',
  temporal: 'UELLM_TEMPORAL_PORT',
  temporalUi: 'UELLM_TEMPORAL_UI_PORT',
};

/** Never repeated in an error: one is a key, the other holds a password. */
const SECRETS: ReadonlySet<string> = new Set(['UELLM_API_KEY', 'DATABASE_URL', 'TEMPORAL_API_KEY']);

/** Each with its key. */
const CERTIFICATES = [
  ['TEMPORAL_TLS_CERT', 'TEMPORAL_TLS_KEY'],
  ['UELLM_TLS_CERT', 'UELLM_TLS_KEY'],
] as const;

const checkedSchema = z
  .object(environmentFields)
  .refine((e) => isLoopbackAddress(e.UELLM_BIND) || e.UELLM_API_KEY !== undefined || e.DATABASE_URL !== undefined, {
    path: ['UELLM_BIND'],
    message: 'a loopback address unless UELLM_API_KEY is set: nobody else may get in without a key',
  })
  .superRefine((e, ctx) => {
    const issuer = e.UELLM_OIDC_ISSUER && new URL(e.UELLM_OIDC_ISSUER);
    if (issuer && issuer.protocol !== 'https:' && !isLoopbackAddress(issuer.hostname.replace(/^\[|\]$/g, '')))
      ctx.addIssue({ code: 'custom', path: ['UELLM_OIDC_ISSUER'], message: 'an https URL, or an http one of this machine' });
    if (issuer && e.UELLM_OIDC_AUDIENCE === undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['UELLM_OIDC_AUDIENCE'],
        message: 'the audience that tokens of UELLM_OIDC_ISSUER name for this API',
      });
    for (const [cert, key] of CERTIFICATES)
      if ((e[cert] === undefined) !== (e[key] === undefined))
        ctx.addIssue({
          code: 'custom',
          path: [e[key] === undefined ? key : cert],
          message: `a file, as ${e[key] === undefined ? cert : key} is one`,
        });
    const seen = new Map<number, string>();
    for (const name of Object.values(PORT_VARIABLES) as (keyof typeof e)[]) {
      const other = seen.get(e[name] as number);
      if (other) ctx.addIssue({ code: 'custom', path: [name], message: `a port other than that of ${other}` });
      seen.set(e[name] as number, name);
    }
  });

export type Variables = z.output<typeof checkedSchema>;

/** @throws invalid-input that names the variable, what it holds and what it may hold */
export function parseVariables(present: Record<string, string | undefined>): Variables {
  try {
    return parseInput(checkedSchema, present, 'the environment');
  } catch (error) {
    if (!(error instanceof UellmError) || error.detail.kind !== 'invalid-input') throw error;
    const issues = error.detail.issues.map((issue) => (SECRETS.has(issue.field) ? { ...issue, given: 'something else' } : issue));
    throw new UellmError({ ...error.detail, issues });
  }
}
