import { Counter, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { SeriesCounter, SeriesHistogram } from './series.ts';

const BOUNDS = [0.1, 0.5, 2];
const LABEL_NAMES = ['deployment', 'class'] as const;
const definition = { help: 'Some help.', labelNames: LABEL_NAMES };

function observed() {
  const [ours, theirs] = [new Registry(), new Registry()];
  const histograms = [
    new SeriesHistogram(ours, { name: 'h', ...definition, bounds: BOUNDS }),
    new Histogram({ name: 'h', ...definition, buckets: BOUNDS, registers: [theirs] }),
  ];
  const counters = [new SeriesCounter(ours, { name: 'c', ...definition }), new Counter({ name: 'c', ...definition, registers: [theirs] })];
  const labels = [
    { deployment: 'a', class: 'x' },
    { deployment: 'a', class: 'y"\n' },
  ];
  for (const of of labels) {
    for (const value of [0, 0.1, 0.1000001, 0.5, 2, 2.1, 100]) for (const histogram of histograms) histogram.observe(of, value);
    for (const counter of counters) counter.inc(of);
  }
  for (const counter of counters) counter.inc({ ...labels[0]! }, 2.5);
  return { ours, theirs };
}

describe('series', () => {
  it('read as prom-client’s', async () => {
    const { ours, theirs } = observed();
    expect(await ours.metrics()).toBe(await theirs.metrics());
    expect(await ours.metrics()).toContain('h_bucket{le="0.5",deployment="a",class="x"} 4');
  });

  it('are added up over processes as prom-client’s', async () => {
    const of = async (registry: Registry) => JSON.parse(JSON.stringify(await registry.getMetricsAsJSON()));
    const merged = async (which: 'ours' | 'theirs') => {
      const both = await Promise.all([of(observed()[which]), of(observed()[which])]);
      const { AggregatorRegistry } = await import('prom-client');
      return AggregatorRegistry.aggregate(both).metrics();
    };
    expect(await merged('ours')).toBe(await merged('theirs'));
  });

  it('begin anew when they are reset', async () => {
    const { ours } = observed();
    ours.resetMetrics();
    expect(await ours.metrics()).not.toMatch(/\d$/m);
  });
});
