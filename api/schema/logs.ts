import { z } from '@hono/zod-openapi';

export const LOG_LINES = { default: 200, max: 1000 } as const;

export const logQuery = z.strictObject({
  lines: z.coerce.number().int().min(1).max(LOG_LINES.max).default(LOG_LINES.default).openapi({ description: 'At most.' }),
});

export const logTailSchema = z
  .object({
    source: z.string().openapi({ description: 'The file on the host; `host worker` for its own.' }),
    lines: z.array(z.string()).openapi({ description: 'Oldest first.' }),
  })
  .openapi('LogTail');
export type LogTail = z.infer<typeof logTailSchema>;
