/** Where other faces of the system show the same thing. */

/** The page of a workflow's latest run in Temporal's own UI; null where nobody said where that UI is. */
export function workflowUrl(temporalUiUrl: string | null | undefined, workflowId: string): string | null {
  if (!temporalUiUrl) return null;
  const base = temporalUiUrl.replace(/\/+$/, '');
  const namespaced = /\/namespaces\/[^/]+$/.test(base) ? base : `${base}/namespaces/default`;
  return `${namespaced}/workflows/${encodeURIComponent(workflowId)}`;
}
