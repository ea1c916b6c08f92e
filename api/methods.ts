/** Which methods an address takes: Hono answers 404 for a wrong one, where HTTP has 405 (RFC 9110, 15.5.6). */
import type { RouterRoute } from 'hono/types';

export function allowedMethods(routes: readonly RouterRoute[], path: string): string[] {
  const methods = routes.filter((route) => route.method !== 'ALL' && matches(route.path, path)).map((route) => route.method);
  return [...new Set(methods)].sort();
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
