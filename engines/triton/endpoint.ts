/** Where a Triton server listens: HTTP at its endpoint, metrics two ports above, as its own defaults (8000 and 8002) do. */

export const METRICS_PORT_OFFSET = 2;

/** URL of the metrics of the server whose HTTP port is `endpoint`. */
export function tritonMetricsUrl(endpoint: string): string {
  const url = new URL(endpoint);
  url.port = String(Number(url.port || (url.protocol === 'https:' ? 443 : 80)) + METRICS_PORT_OFFSET);
  return `${url.origin}/metrics`;
}

/**
 * Under which name a server has a replica's model: its deployment's, or the model's own on a server that someone else runs, whose deployment
 * is a name that none could have (with a slash).
 */
export function tritonModelName({ deployment, model }: { deployment: string; model: string }): string {
  return deployment.includes('/') ? model : deployment;
}
