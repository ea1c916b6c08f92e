/** Names of objects: safe in URLs, labels, file names, task queues and Temporal workflow ids alike. */
import { z } from 'zod';

export const nameSchema = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/,
    'a name of 1 to 63 lower-case letters, digits, dots, dashes or underscores that begins and ends with a letter or digit',
  );

/** Matches any value of a policy's `match` field. */
export const ANY = '*';

export const nameOrAnySchema = z.union([z.literal(ANY), nameSchema]);
