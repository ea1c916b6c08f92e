/** Rules of Prometheus and dashboards of Grafana as files: structure and grammar. That their metrics exist, test/system/production.test.ts says. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type Dashboard, dashboardFaults, dashboardSchema } from '../test/support/grafana.ts';
import { promqlNames } from '../test/support/promql.ts';

const folder = (name: string) => new URL(`../infra/${name}/`, import.meta.url);
const filesOf = (name: string) =>
  readdirSync(folder(name)).map((file) => [file, readFileSync(new URL(file, folder(name)), 'utf8')] as const);

const duration = z.string().regex(/^(\d+[smhd])+$/);
const expr = z.string().refine(isPromql, 'PromQL');
const ruleSchema = z.union([
  z.strictObject({ record: z.string(), expr, labels: z.record(z.string(), z.string()).optional() }),
  z.strictObject({
    alert: z.string(),
    ...{ expr, for: duration.optional(), keep_firing_for: duration.optional() },
    labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
    annotations: z.strictObject({ summary: z.string().min(1), description: z.string().min(1) }),
  }),
]);
const rulesSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), interval: duration.optional(), rules: z.array(ruleSchema).min(1) })),
});

function isPromql(text: string): boolean {
  try {
    return promqlNames(text).metrics.size > 0;
  } catch {
    return false;
  }
}

describe.each(filesOf('prometheus/rules'))('%s', (_, text) => {
  it('is what Prometheus takes', () => {
    const { groups } = rulesSchema.parse(parse(text));
    expect(new Set(groups.map((g) => g.name)).size).toBe(groups.length);
  });
});

describe.each(filesOf('grafana/dashboards'))('%s', (file, text) => {
  const dashboard = dashboardSchema.parse(JSON.parse(text));

  it('is what Grafana takes', () => {
    expect(dashboard.uid).toBe(`uellm-${file.replace('.json', '')}`);
    expect(dashboardFaults(dashboard)).toEqual([]);
  });

  it('asks in PromQL', () => {
    const asked = dashboard.panels.flatMap((panel) => panel.targets.map((t) => t.expr));
    expect(asked.filter((e) => !isPromql(e))).toEqual([]);
  });
});

describe('what these tests are for', () => {
  const [, text] = filesOf('grafana/dashboards')[0]!;
  const dashboard = dashboardSchema.parse(JSON.parse(text));
  const [first, second, ...rest] = dashboard.panels as [Dashboard['panels'][number], Dashboard['panels'][number], ...Dashboard['panels']];
  const faults = (change: Partial<typeof first>) => dashboardFaults({ ...dashboard, panels: [first, { ...second, ...change }, ...rest] });

  it('is noticed', () => {
    expect(faults({ id: first.id })).toEqual([`id ${first.id} twice`]);
    expect(faults({ gridPos: first.gridPos })).toContain(`${first.title} and ${second.title} overlap`);
    expect(faults({ targets: [{ ...second.targets[0]!, expr: 'up{job="$nobody"}' }] })).toEqual([`${second.title}: no variable nobody`]);
    expect(dashboardSchema.safeParse({ ...dashboard, panels: [{ ...first, type: 'graph' }] }).success).toBe(false);
    expect(['sum by (a) (rate(b[5m])', 'rate(b[5m]', 'b{c=d}', ''].map(isPromql)).toEqual([false, false, false, false]);
    expect(isPromql('sum by (a) (rate(b{c=~"$x"}[$__rate_interval]))')).toBe(true);
  });
});
