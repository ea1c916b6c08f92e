/** Which methods an address takes: Hono answers 404 for a wrong one, where HTTP has 405 (RFC 9110, 15.5.6). */
import type { RouterRoute } from 'hono/types';

export function allowedMethods(routes: readonly RouterRoute[], path: string): string[] {
  const found = routes.filter((route) => route.method !== 'ALL' && matches(route.path, path));
  // An address of its own is none of those that a pattern takes.
  const own = found.filter((route) => route.path === path);
  return [...new Set((own.length > 0 ? own : found).map((route) => route.method))].sort();
}

/** Patterns here are literal segments and `:name`; those with a wildcard belong to middleware and pages. */
function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => part !== '*' && (part.startsWith(':') ? given[i] !== '' : part === given[i]))
  );
}
