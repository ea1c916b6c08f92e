/** The form of a new key, as the API finds fault with it. */
import type { Problem } from '../../../api/schema/index.ts';

/** By field; those that are chosen from a list cannot be wrong. */
export interface KeyIssues {
  name?: string;
  tenant?: string;
}

/** What belongs to the form's fields; null where the problem is another. */
export function keyIssuesOf({ issues = [] }: Problem): KeyIssues | null {
  const found: KeyIssues = {};
  for (const { field, allowed } of issues) {
    if (field !== 'name' && field !== 'tenant') return null;
    found[field] ??= allowed;
  }
  return issues.length === 0 ? null : found;
}
