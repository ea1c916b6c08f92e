/** ETags are versions; If-Match makes a write depend on one (RFC 9110, 13.1.1). */
import type { MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ApiEnv } from '../context.ts';

export const etagOf = (version: number) => `"${version}"`;

/** @throws 412 when `ifMatch` is given and does not name `version` */
export function checkIfMatch(ifMatch: string | undefined, version: number): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return;
  const named = ifMatch.split(',').map((tag) => tag.trim());
  if (named.includes(etagOf(version))) return;
  throw new HTTPException(412, { message: `If-Match names ${ifMatch}, and the object is at version ${etagOf(version)}: read it again` });
}

/** In front of writes to what has no versions: a condition that cannot be met is not passed over. */
export const refuseIfMatch: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const ifMatch = c.req.header('if-match');
  if (ifMatch !== undefined && ifMatch.trim() !== '*')
    throw new HTTPException(412, { message: `If-Match names ${ifMatch}, and nothing here has a version: leave it out, or let it be *` });
  await next();
};
