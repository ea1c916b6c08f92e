/** The structure of a Grafana dashboard file, as far as ours use it: what is not known here, Grafana would ignore without a word. */
import { z } from 'zod';

const datasource = z.strictObject({ type: z.literal('prometheus'), uid: z.string().regex(/^\$\{datasource\}$/) });
/** Dashboards have 24 columns. */
const gridPos = z
  .strictObject({ x: z.number().int().min(0), y: z.number().int().min(0), w: z.number().int().min(1), h: z.number().int().min(2) })
  .refine(({ x, w }) => x + w <= 24, 'within 24 columns');
const target = z.looseObject({
  refId: z.string().regex(/^[A-Z]$/),
  expr: z.string().min(1),
  legendFormat: z.string().optional(),
  datasource,
});

const panelSchema = z.strictObject({
  type: z.enum(['timeseries', 'stat', 'table']),
  title: z.string().min(1),
  description: z.string().optional(),
  id: z.number().int().min(1),
  gridPos,
  datasource,
  fieldConfig: z.strictObject({
    defaults: z.looseObject({ unit: z.enum(['short', 's', 'reqps', 'percentunit', 'bytes']).optional() }),
    overrides: z.array(
      z.strictObject({
        matcher: z.strictObject({ id: z.enum(['byName', 'byRegexp', 'byFrameRefID']), options: z.string() }),
        properties: z.array(z.looseObject({ id: z.string(), value: z.unknown() })).min(1),
      }),
    ),
  }),
  options: z.record(z.string(), z.unknown()),
  targets: z.array(target).min(1),
  transformations: z.array(z.strictObject({ id: z.string(), options: z.record(z.string(), z.unknown()) })).optional(),
});

const variableSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('datasource'), name: z.literal('datasource'), query: z.literal('prometheus') }),
  z.looseObject({
    ...{ type: z.literal('query'), name: z.string(), datasource },
    query: z.string().regex(/^label_values\(\w+, \w+\)$/, 'label_values(metric, label)'),
  }),
]);

export const dashboardSchema = z.strictObject({
  uid: z.string().regex(/^uellm-[a-z-]+$/),
  title: z.string().regex(/^uellm: /),
  tags: z.array(z.string()).min(1),
  schemaVersion: z.number().int().min(36),
  version: z.number().int().min(1),
  editable: z.boolean(),
  timezone: z.string(),
  refresh: z.string().regex(/^\d+[sm]$/),
  time: z.strictObject({ from: z.string().startsWith('now-'), to: z.literal('now') }),
  templating: z.strictObject({ list: z.array(variableSchema).min(1) }),
  links: z.array(z.looseObject({ type: z.literal('dashboards'), tags: z.array(z.string()) })),
  panels: z.array(panelSchema).min(1),
});
export type Dashboard = z.infer<typeof dashboardSchema>;

/** Variables that Grafana has by itself. */
const BUILT_IN = ['__rate_interval', '__range', '__interval'];

/** What the structure alone does not say: panels that hide one another, twice the same id, variables that nobody declared. */
export function dashboardFaults({ panels, templating }: Dashboard): string[] {
  const faults: string[] = [];
  const declared = [...templating.list.map((variable) => variable.name), ...BUILT_IN];
  for (const [i, panel] of panels.entries()) {
    for (const other of panels.slice(i + 1)) {
      if (other.id === panel.id) faults.push(`id ${panel.id} twice`);
      if (overlap(panel.gridPos, other.gridPos)) faults.push(`${panel.title} and ${other.title} overlap`);
    }
    const refIds = panel.targets.map((t) => t.refId);
    if (new Set(refIds).size < refIds.length) faults.push(`${panel.title}: a refId twice`);
    for (const { expr, legendFormat = '' } of panel.targets)
      for (const [, name] of `${expr} ${legendFormat}`.matchAll(/\$\{?(\w+)\}?/g))
        if (!declared.includes(name!)) faults.push(`${panel.title}: no variable ${name}`);
  }
  return faults;
}

type Grid = Dashboard['panels'][number]['gridPos'];
const overlap = (a: Grid, b: Grid) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
