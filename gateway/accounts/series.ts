/**
 * Counters and histograms that cost a request next to nothing: a series is an object that is counted in, and is made the registry's only
 * when somebody asks. prom-client's own check, sort and hash the labels with every observation, and a request makes ten.
 */
import type { Metric, Registry } from 'prom-client';

export type Labels<L extends string> = Readonly<Record<L, string>>;

interface Definition<L extends string> {
  name: string;
  help: string;
  labelNames: readonly L[];
}

interface Value {
  value: number;
  labels: Readonly<Record<string, string | number>>;
  metricName?: string;
}

abstract class SeriesMetric<L extends string, S> {
  readonly name: string;
  readonly #help: string;
  readonly #labelNames: readonly L[];
  readonly #series = new Map<string, { labels: Labels<L>; series: S }>();

  constructor(registry: Registry, { name, help, labelNames }: Definition<L>) {
    this.name = name;
    this.#help = help;
    this.#labelNames = labelNames;
    registry.registerMetric(this as unknown as Metric);
  }

  protected of(labels: Labels<L>): S {
    let key = '';
    for (const name of this.#labelNames) key += `${labels[name]}\0`;
    let known = this.#series.get(key);
    if (!known) {
      known = { labels, series: this.create() };
      this.#series.set(key, known);
    }
    return known.series;
  }

  /** As the registry asks for it. */
  get(): Promise<object> {
    const values = [...this.#series.values()].flatMap(({ labels, series }) => this.values(labels, series));
    return Promise.resolve({ name: this.name, help: this.#help, type: this.type, values, aggregator: 'sum' });
  }

  reset(): void {
    this.#series.clear();
  }

  protected abstract readonly type: string;
  protected abstract create(): S;
  protected abstract values(labels: Labels<L>, series: S): Value[];
}

export class SeriesCounter<L extends string> extends SeriesMetric<L, { count: number }> {
  protected readonly type = 'counter';

  inc(labels: Labels<L>, by = 1): void {
    this.of(labels).count += by;
  }

  protected create() {
    return { count: 0 };
  }

  protected values(labels: Labels<L>, { count }: { count: number }): Value[] {
    return [{ value: count, labels }];
  }
}

interface Buckets {
  /** Observations of each bucket alone, and last those above all. */
  counts: number[];
  sum: number;
}

export class SeriesHistogram<L extends string> extends SeriesMetric<L, Buckets> {
  protected readonly type = 'histogram';
  readonly #bounds: readonly number[];

  /** @param bounds rising, each within its bucket */
  constructor(registry: Registry, { bounds, ...definition }: Definition<L> & { bounds: readonly number[] }) {
    super(registry, definition);
    this.#bounds = bounds;
  }

  observe(labels: Labels<L>, value: number): void {
    const series = this.of(labels);
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
    series.counts[bucket]! += 1;
    series.sum += value;
  }

  protected create(): Buckets {
    return { counts: new Array<number>(this.#bounds.length + 1).fill(0), sum: 0 };
  }

  protected values(labels: Labels<L>, { counts, sum }: Buckets): Value[] {
    let count = 0;
    const buckets = counts.map((own, i): Value => {
      count += own;
      return { value: count, labels: { le: this.#bounds[i] ?? '+Inf', ...labels }, metricName: `${this.name}_bucket` };
    });
    return [...buckets, { value: sum, labels, metricName: `${this.name}_sum` }, { value: count, labels, metricName: `${this.name}_count` }];
  }
}
