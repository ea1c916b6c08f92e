/** ETags are versions; If-Match makes a write depend on one (RFC 9110, 13.1.1). */
import { HTTPException } from 'hono/http-exception';

export const etagOf = (version: number) => `"${version}"`;

/** @throws 412 when `ifMatch` is given and does not name `version` */
export function checkIfMatch(ifMatch: string | undefined, version: number): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return;
  const named = ifMatch.split(',').map((tag) => tag.trim());
  if (named.includes(etagOf(version))) return;
  throw new HTTPException(412, { message: `If-Match names ${ifMatch}, and the object is at version ${etagOf(version)}: read it again` });
}
