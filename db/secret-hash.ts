/** How secrets of keys are kept: of a file of its own, since who only compares them needs no database. */
import { createHash } from 'node:crypto';

/** In hexadecimal, as it is stored. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
