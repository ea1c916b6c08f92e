/** Where in the dashboard one is: the path says which page, the query what it shows. Both make a link that can be passed on. */
import { useEffect, useReducer } from 'preact/hooks';

const listeners = new Set<() => void>();
const tell = () => {
  for (const listener of listeners) listener();
};

/** Goes to another page of the dashboard. */
export function go(href: string): void {
  history.pushState(null, '', href);
  tell();
}

/** Other values in the query of this page; null takes one out. The address changes in place, so that the way back leads to the page before. */
export function showInAddress(values: Record<string, string | null>): void {
  history.replaceState(null, '', location.pathname + queryWith(location.search, values));
  tell();
}

/** The query with other values, as it stands in a link: empty, or from its question mark on. */
export function queryWith(search: string, values: Record<string, string | null>): string {
  const query = new URLSearchParams(search);
  for (const [name, value] of Object.entries(values)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  return query.size === 0 ? '' : `?${query}`;
}

/** The address as it is now; the component renders again when it changes. */
export function useAddress(): { path: string; query: URLSearchParams } {
  const [, render] = useReducer<number, void>((n) => n + 1, 0);
  useEffect(() => {
    const listener = () => render();
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

/**
 * From now on links to pages of the dashboard change what is shown, and load nothing anew. Called once.
 * @param isPage whether a path is one of them
 */
export function followLinks(isPage: (path: string) => boolean): void {
  addEventListener('popstate', tell);
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    const meantOtherwise = event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (!link || meantOtherwise || link.target || link.origin !== location.origin || link.hash || !isPage(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search);
    // As after a page load.
    scrollTo(0, 0);
  });
}
