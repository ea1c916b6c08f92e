/** API keys: what one may, whose it is, and what became of it. Of the secret only its maker hears, once. */
import { z } from '@hono/zod-openapi';
import { KEY_LIFETIME_SECONDS, roleSchema } from '../../core/domain/access.ts';
import { nameSchema } from '../../core/domain/names.ts';
import { textFilter, timeSchema } from './common.ts';

export const keyInputSchema = z
  .strictObject({
    role: z
      .enum(roleSchema.options)
      .openapi({ description: '`viewer` reads, `operator` also changes what runs, `admin` also holds the keys.' }),
    tenant: nameSchema.optional().openapi({
      description: 'The only tenant that it sees and acts for; the whole fleet without it, or the tenant of the key that makes it.',
    }),
    name: textFilter.max(100).optional().openapi({ description: 'What it is for.', example: 'ci' }),
    expiresInSeconds: z
      .number()
      .int()
      .min(KEY_LIFETIME_SECONDS.min)
      .max(KEY_LIFETIME_SECONDS.max)
      .optional()
      .openapi({ description: 'Without it, it does not run out.' }),
  })
  .openapi('KeyInput');
export type KeyInput = z.input<typeof keyInputSchema>;

export const keyResourceSchema = z
  .object({
    id: z.number().int(),
    prefix: z.string().openapi({ description: 'What it begins with, to tell it from others by.' }),
    name: z.string().nullable(),
    role: roleSchema,
    tenant: z.string().nullable().openapi({ description: 'null: the whole fleet.' }),
    state: z.enum(['active', 'expired', 'revoked']),
    createdAt: timeSchema,
    createdBy: z.string(),
    lastUsedAt: timeSchema.nullable().openapi({ description: 'Within a minute or so.' }),
    expiresAt: timeSchema.nullable(),
    revokedAt: timeSchema.nullable(),
    revokedBy: z.string().nullable(),
  })
  .openapi('Key');
export type KeyResource = z.infer<typeof keyResourceSchema>;

export const keyCreatedSchema = keyResourceSchema
  .extend({ secret: z.string().openapi({ description: 'The key itself, shown this once: only its SHA-256 is kept.' }) })
  .openapi('KeyCreated');
export type KeyCreated = z.infer<typeof keyCreatedSchema>;
