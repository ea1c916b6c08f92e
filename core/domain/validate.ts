/** From a zod failure to an answer that names the field, what was given and what is allowed. */
import type { z } from 'zod';
import { type FieldIssue, UellmError } from './errors.ts';

/**
 * Parses `value`, or throws `invalid-input`.
 * @param what what the value is, as the error calls it: `SLO policy 'chat'`, `flag --rate-scale`
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UellmError({ kind: 'invalid-input', what, issues: fieldIssues(result.error, value) });
}

export function fieldIssues(error: z.ZodError, value: unknown): FieldIssue[] {
  return error.issues.flatMap((issue) => issuesOf(issue, value));
}

function issuesOf(issue: z.core.$ZodIssue, root: unknown): FieldIssue[] {
  if (issue.code === 'unrecognized_keys') {
    const parent = valueAt(root, issue.path);
    return issue.keys.map((key) => ({
      field: fieldPath([...issue.path, key]),
      given: show((parent as Record<string, unknown>)[key]),
      allowed: 'no such field (unknown fields are refused)',
    }));
  }
  return [{ field: fieldPath(issue.path), given: show(valueAt(root, issue.path)), allowed: allowedBy(issue) }];
}

function allowedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'a whole number' : `${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
    case 'invalid_value':
      return issue.values.length === 1 ? show(issue.values[0]) : `one of ${issue.values.map((v) => show(v)).join(', ')}`;
    case 'too_small':
      return `${measure(issue.origin)} ${issue.inclusive ? 'of at least' : 'above'} ${issue.minimum}`;
    case 'too_big':
      return `${measure(issue.origin)} ${issue.inclusive ? 'of at most' : 'below'} ${issue.maximum}`;
    case 'invalid_key':
      return `as its key ${issue.issues.map(allowedBy).join(' and ')}`;
    case 'invalid_union':
      return issue.errors.length > 0 ? issue.errors.map((e) => e.map(allowedBy).join(' and ')).join(', or ') : issue.message;
    default:
      return issue.message;
  }
}

function measure(origin: string): string {
  if (origin === 'string') return 'a text with a length';
  if (origin === 'array' || origin === 'set') return 'a list with a length';
  return 'a number';
}

function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${String(key)}` : String(key)),
    '',
  );
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value === null || typeof value !== 'object' ? undefined : (value as Record<PropertyKey, unknown>)[key]),
    root,
  );
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
