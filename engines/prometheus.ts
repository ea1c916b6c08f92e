/**
 * Reads Prometheus' text format. Source: prometheus.io, "Exposition formats", text-based format 0.0.4.
 * Comments, types and what is malformed are passed over: a number that we cannot read is a number that is missing.
 */
export interface MetricSample {
  labels: Record<string, string>;
  value: number;
}

/** Samples by metric name. */
export type MetricSamples = ReadonlyMap<string, MetricSample[]>;

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function parsePrometheus(text: string): MetricSamples {
  const samples = new Map<string, MetricSample[]>();
  for (const line of text.split('\n')) {
    const match = line.startsWith('#') ? null : SAMPLE.exec(line);
    if (!match) continue;
    const [, name, labels, value] = match;
    const known = samples.get(name!) ?? [];
    known.push({ labels: parseLabels(labels ?? ''), value: parseValue(value!) });
    samples.set(name!, known);
  }
  return samples;
}

function parseLabels(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name, unescapeLabel(value!)]));
}

function unescapeLabel(value: string): string {
  return value.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
}

function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}
