/** What every resource of the API shares: problems, pages and times. */
import { z } from '@hono/zod-openapi';
import { refusalSchema } from '../../core/domain/refusal.ts';

export const timeSchema = z.iso.datetime().openapi({ example: '2026-01-31T12:00:00.000Z' });

export const fieldIssueSchema = z
  .object({
    field: z.string().openapi({ description: 'Path from the root of the input; empty for the input itself.', example: 'targets.ttftMs' }),
    given: z.string().openapi({ example: '-5' }),
    allowed: z.string().openapi({ example: 'a number above 0' }),
  })
  .openapi('FieldIssue');

/** RFC 9457. */
export const problemSchema = z
  .object({
    type: z.string().openapi({ description: 'A URN that names the kind of problem.', example: 'urn:uellm:problem:invalid-input' }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().openapi({ description: 'The path that was asked for.' }),
    issues: z.array(fieldIssueSchema).optional().openapi({ description: 'What is wrong with the input, field by field.' }),
    refusal: refusalSchema.optional().openapi({ description: 'Why planning declined.' }),
  })
  .openapi('Problem');
export type Problem = z.infer<typeof problemSchema>;

export const PAGE_LIMIT = { default: 100, max: 1000 } as const;

/** Query parameters of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(PAGE_LIMIT.max).default(PAGE_LIMIT.default),
  cursor: z.string().min(1).max(1000).optional().openapi({ description: 'The `next` of the page before.' }),
};

/** How far back is looked, as a query parameter. */
export const windowSeconds = (standard: number, most: number, description: string) =>
  z.coerce.number().int().min(1).max(most).default(standard).openapi({ description });

/** A filter that takes any text that could name something. */
export const textFilter = z
  .string()
  .min(1)
  .max(300)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it keeps out
  .regex(/^[^\x00-\x1f\x7f]+$/, 'a text without control characters');

/** The filter of every list by name. */
export const prefixFilter = textFilter.optional().openapi({ description: 'Only those whose name begins so.' });

/** A filter that takes a moment. */
export const timeFilter = z.iso.datetime({ offset: true, error: 'a time such as 2026-01-31T12:00:00Z' });

export function listOf<S extends z.ZodType>(item: S, name: string) {
  return z
    .object({ items: z.array(item), next: z.string().optional().openapi({ description: 'Cursor of the next page; absent on the last.' }) })
    .openapi(name);
}
/** One page of a list. */
export interface ListOf<T> {
  items: T[];
  next?: string | undefined;
}

/** Fields of every declared object's `status`. */
export const declaredStatus = {
  version: z.number().int().openapi({ description: 'Rises with every change; the ETag holds it.' }),
  createdAt: timeSchema,
  updatedAt: timeSchema,
};

/** On input a `status` is ignored, so that what was read can be written back. */
export const ignoredStatus = z.unknown().optional().openapi({ description: 'Ignored: what was read can be written back.' });
