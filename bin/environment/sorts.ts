/** What variables of the environment can be: each says in its error what is allowed. */
import { z } from 'zod';

/** @param what its unit, e.g. `of seconds` */
export function whole(least: number, most: number, what = '') {
  const allowed = ['a whole number', what, `from ${least} to ${most}`].filter(Boolean).join(' ');
  return z
    .string()
    .regex(/^\d{1,9}$/, allowed)
    .transform(Number)
    .refine((value) => value >= least && value <= most, allowed);
}

const PORT = 'a port number from 1 to 65535';

export const port = z
  .string()
  .regex(/^\d{1,5}$/, PORT)
  .transform(Number)
  .refine((number) => number >= 1 && number <= 65_535, PORT);

export const address = z.string().regex(/^[\w.:-]+$/, 'an IP address or a host name');
export const url = z.url({ protocol: /^https?$/, error: 'an http(s) URL' });
export const printableKey = z.string().regex(/^[\x21-\x7e]+$/, 'a key of printable ASCII characters without blanks');
export const yesOrNo = z.enum(['true', 'false']);
