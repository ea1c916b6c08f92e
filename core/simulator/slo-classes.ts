/** The classes of an SLO file: `{ classes: [{ name, share, ttftMs?, tpotMs?, e2eMs?, ttftPerInputTokenMs?, priority?, queue? }] }`. */
import { z } from 'zod';
import { nameSchema } from '../domain/names.ts';
import type { SloTargets } from '../domain/slo-policy.ts';

const latencyMs = z.number().positive().max(86_400_000);

const sloClassSchema = z
  .strictObject({
    name: nameSchema,
    /** Of the requests that name no class, relative to the sum of all shares. */
    share: z.number().nonnegative().default(1),
    ttftMs: latencyMs.optional(),
    /** Allowed on top of `ttftMs` for every token of the prompt. */
    ttftPerInputTokenMs: z.number().nonnegative().max(1000).optional(),
    tpotMs: latencyMs.optional(),
    e2eMs: latencyMs.optional(),
    /** Higher is more urgent; below 0 may be shed. */
    priority: z.number().int().min(-1000).max(1000).default(0),
    queue: z
      .strictObject({ maxWaitMs: latencyMs.default(30_000), onHopeless: z.enum(['demote', 'shed']).default('demote') })
      .default({ maxWaitMs: 30_000, onHopeless: 'demote' }),
  })
  .refine((c) => c.ttftMs !== undefined || c.tpotMs !== undefined || c.e2eMs !== undefined, {
    message: 'at least one of ttftMs, tpotMs, e2eMs',
  })
  .refine((c) => c.ttftPerInputTokenMs === undefined || c.ttftMs !== undefined, {
    path: ['ttftPerInputTokenMs'],
    message: 'absent without ttftMs',
  });
export type SloClass = z.infer<typeof sloClassSchema>;

export const sloFileSchema = z
  .strictObject({ classes: z.array(sloClassSchema).min(1).max(100) })
  .refine(({ classes }) => new Set(classes.map((c) => c.name)).size === classes.length, { path: ['classes'], message: 'names that differ' })
  .refine(({ classes }) => classes.some((c) => c.share > 0), { path: ['classes'], message: 'at least one share above 0' });

/** What a request of the class with that prompt was promised. */
export function targetsOf(sloClass: SloClass, inputTokens: number): SloTargets {
  const { ttftMs, ttftPerInputTokenMs = 0, tpotMs, e2eMs } = sloClass;
  return {
    ...(ttftMs === undefined ? {} : { ttftMs: ttftMs + ttftPerInputTokenMs * inputTokens }),
    ...(tpotMs === undefined ? {} : { tpotMs }),
    ...(e2eMs === undefined ? {} : { e2eMs }),
    attainment: 0.99,
  };
}
