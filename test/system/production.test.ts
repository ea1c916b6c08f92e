/**
 * What runs in production beside the control plane itself, on an installation that encrypts its payloads and serves the metrics of its workers:
 * every name in the rules of Prometheus and the dashboards of Grafana is in what its processes really expose, and Temporal keeps nothing in plain
 * text.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { stateMetrics } from '../../api/metrics.ts';
import { createCodec, dataConverterOf, workflowBundleOf } from '../../bin/codec.ts';
import { freePort } from '../../bin/processes/ports.ts';
import { readOperations } from '../../db/queries/operations.ts';
import { streamCompletion } from '../../engines/openai.ts';
import { createMetrics as gatewayMetrics } from '../../gateway/accounts/metrics.ts';
import { createMetrics as profilerMetrics } from '../../profiler/metrics.ts';
import { CONTROL_TASK_QUEUE, workflowIds } from '../../workflows/messages.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';
import { promqlNames } from '../support/promql.ts';
import { quietRuntime } from '../support/temporal.ts';

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const UI = 'https://temporal.example';
/** Why a model of which nothing is known is not rolled out. */
const REASON = "model 'nowhere' is not valid";
const WORKFLOW_BUNDLE = path('dist/workflow-bundle.js');

let cluster: Cluster;
let directory: string;
let keyFile: string;
let metricsPort: number;
let rolloutId: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-production-'));
  keyFile = join(directory, 'codec.keys');
  writeFileSync(keyFile, `first ${randomBytes(32).toString('base64')}\n`);
  metricsPort = await freePort();
  const fleet = smallFleet();
  const nowhere = { kind: 'Model' as const, name: 'nowhere', source: 'hf://example/nowhere' };
  const broken = { kind: 'Deployment' as const, name: 'nowhere', model: 'nowhere', engine: { kind: 'simulated', args: {} } };
  cluster = await startCluster({
    ...fleet,
    objects: [...fleet.objects, nowhere, { ...broken, replicas: { min: 1, max: 1 } }],
    env: {
      UELLM_CODEC_KEY_FILE: keyFile,
      UELLM_WORKER_METRICS_PORT: String(metricsPort),
      UELLM_TEMPORAL_UI_URL: UI,
    },
  });
  const rollout = await cluster.deploy(MODEL);
  expect(rollout.status).toMatchObject({ phase: 'succeeded' });
  rolloutId = rollout.id;
}, 120_000);
afterAll(async () => {
  await cluster?.close();
  rmSync(directory, { recursive: true });
});

describe('payloads in Temporal', () => {
  /** Of every workflow that there is. */
  async function histories(): Promise<{ workflowId: string; json: string }[]> {
    const all: { workflowId: string; json: string }[] = [];
    for await (const { workflowId, runId } of cluster.temporal.workflow.list())
      all.push({ workflowId, json: historyToJSON(await cluster.temporal.workflow.getHandle(workflowId, runId).fetchHistory()) });
    return all;
  }

  it('are all encrypted, and so are the words of failures', async () => {
    expect((await cluster.deploy('nowhere')).status).toMatchObject({ phase: 'rolled-back', reason: expect.stringContaining(REASON) });
    const found = { payloads: 0, failures: 0, plain: [] as string[] };
    const look = (value: unknown, workflowId: string): void => {
      if (typeof value !== 'object' || value === null) return;
      const { metadata, encodedAttributes, message } = value as { metadata?: { encoding?: string }; [field: string]: unknown };
      if (metadata?.encoding !== undefined) {
        found.payloads++;
        const encoding = Buffer.from(metadata.encoding, 'base64').toString();
        if (encoding !== 'binary/encrypted') found.plain.push(`${workflowId}: ${JSON.stringify(value)}`);
      }
      if (encodedAttributes) {
        found.failures++;
        if (message !== 'Encoded failure') found.plain.push(`${workflowId}: ${message}`);
      }
      // What is searched by is not encrypted: Temporal has to compare it.
      for (const [field, inner] of Object.entries(value)) if (field !== 'searchAttributes') look(inner, workflowId);
    };
    for (const { workflowId, json } of await histories()) {
      look(JSON.parse(json), workflowId);
      expect(json).not.toContain(REASON);
    }
    expect(found.plain).toEqual([]);
    expect(found.payloads).toBeGreaterThan(50);
    expect(found.failures).toBeGreaterThan(0);
  });

  it("are read by Temporal's UI through the endpoint", async () => {
    const history = await cluster.temporal.workflow.getHandle(workflowIds.deploy(rolloutId)).fetchHistory();
    const [event] = JSON.parse(historyToJSON(history)).events;
    const response = await fetch(`http://127.0.0.1:${cluster.environment.ports.api}/codec/decode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: UI, 'x-namespace': cluster.environment.temporal.namespace },
      body: JSON.stringify(event.workflowExecutionStartedEventAttributes.input),
    });
    expect(response.headers.get('access-control-allow-origin')).toBe(UI);
    const { payloads } = (await response.json()) as { payloads: { data: string }[] };
    expect(JSON.parse(Buffer.from(payloads[0]!.data, 'base64').toString())).toMatchObject({ rolloutId });
  });

  it('replay with the key', async () => {
    quietRuntime();
    const codec = createCodec(keyFile);
    const options = { workflowBundle: workflowBundleOf(WORKFLOW_BUNDLE, codec), ...dataConverterOf(codec) };
    const all = (await histories()).map(({ workflowId, json }) => ({ workflowId, history: JSON.parse(json) }));
    const failed: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories(options, all))
      if (error) failed.push(`${workflowId}: ${error.message}`);
    expect(failed).toEqual([]);
    expect(all.length).toBeGreaterThan(3);
  });
});

describe('rules and dashboards', () => {
  const rules = readdirSync(path('infra/prometheus/rules')).flatMap((file) => {
    type Rule = { record?: string; alert?: string; expr: string; annotations?: Record<string, string> };
    return (parse(readFileSync(path(`infra/prometheus/rules/${file}`), 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
      (g) => g.rules,
    );
  });
  const dashboards = readdirSync(path('infra/grafana/dashboards')).map((file) => {
    type Target = { expr: string; legendFormat?: string };
    type Dashboard = {
      uid: string;
      panels: { title: string; targets: Target[] }[];
      templating: { list: { type: string; query: string }[] };
    };
    return JSON.parse(readFileSync(path(`infra/grafana/dashboards/${file}`), 'utf8')) as Dashboard;
  });
  /** What Prometheus adds by itself. */
  const OF_PROMETHEUS = ['job', 'instance', 'le'];

  /** Metric → its labels: of the series that there are, and of those that come to be when something goes wrong. */
  async function exposed(): Promise<Map<string, Set<string>>> {
    const { ports } = cluster.environment;
    const labels = new Map<string, Set<string>>([['up', new Set()]]);
    const labelsOf = (metric: string) => labels.get(metric) ?? labels.set(metric, new Set()).get(metric)!;
    for (const port of [ports.api, ports.gateway, ports.profiler, metricsPort]) {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      for (const [, metric, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm))
        for (const suffix of type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) labelsOf(metric! + suffix);
      for (const [, metric, inner] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/gm))
        for (const [, label] of (inner ?? '').matchAll(/(\w+)="/g)) labelsOf(metric!).add(label!);
    }
    const registries = [gatewayMetrics().registry, profilerMetrics().registry, stateMetrics(await readOperations(cluster.db))];
    for (const metric of registries.flatMap((r) => r.getMetricsAsArray() as { name: string; labelNames?: string[] }[]))
      for (const name of [metric.name, `${metric.name}_bucket`])
        if (labels.has(name)) for (const label of metric.labelNames ?? []) labelsOf(name).add(label);
    for (const { record, expr } of rules) {
      const { grouped, metrics } = promqlNames(expr);
      const [first] = metrics.keys();
      if (record) labels.set(record, grouped.size > 0 ? grouped : (labels.get(first ?? '') ?? new Set()));
    }
    return labels;
  }

  it('name metrics and labels that the processes really expose', async () => {
    // So many that the profiler publishes what it has learned.
    const requests = Array.from({ length: 60 }, () =>
      streamCompletion(cluster.gatewayUrl, { model: MODEL, prompt: 'hello', maxTokens: 4, ignoreEos: true }),
    );
    await Promise.all(requests);
    const apiMetrics = async () => (await fetch(`http://127.0.0.1:${cluster.environment.ports.api}/metrics`)).text();
    await expect.poll(apiMetrics, { timeout: 30_000, interval: 500 }).toContain('uellm_profiler_snapshot_timestamp_seconds');
    // A workflow whose code is not there: its tasks fail, as those of code that does not fit its history would.
    const lost = await cluster.temporal.workflow.start('noSuchWorkflow', { taskQueue: CONTROL_TASK_QUEUE, workflowId: 'no-such-workflow' });
    const workerMetrics = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    await expect.poll(workerMetrics, { timeout: 15_000 }).toContain('temporal_workflow_task_execution_failed_total');
    await lost.terminate();

    const known = await exposed();
    const wrong: string[] = [];
    const check = (where: string, expr: string, shown: string): void => {
      const { metrics, grouped } = promqlNames(expr);
      for (const [metric, asked] of metrics) {
        const labels = known.get(metric);
        if (!labels) wrong.push(`${where}: no metric ${metric}`);
        else
          for (const label of asked)
            if (!labels.has(label) && !OF_PROMETHEUS.includes(label)) wrong.push(`${where}: ${metric} has no label ${label}`);
      }
      const left =
        grouped.size > 0 ? [...grouped] : [...metrics.keys()].flatMap((metric) => [...(known.get(metric) ?? []), ...OF_PROMETHEUS]);
      for (const [, label] of shown.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g))
        if (!left.includes(label!)) wrong.push(`${where}: {{${label}}} is no label of the result`);
    };
    for (const { record, alert, expr, annotations } of rules)
      check(record ?? alert ?? '?', expr, Object.values(annotations ?? {}).join(' '));
    for (const { uid, panels, templating } of dashboards) {
      for (const { title, targets } of panels)
        for (const { expr, legendFormat = '' } of targets) check(`${uid}, ${title}`, expr, legendFormat);
      for (const { type, query } of templating.list.filter((variable) => variable.type === 'query')) {
        const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(query) ?? [];
        if (!known.get(metric ?? '')?.has(label ?? '')) wrong.push(`${uid}: ${type} ${query}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('are as Prometheus and Grafana take them', () => {
    for (const { record, alert, annotations } of rules) {
      if (record) expect(record).toMatch(/^uellm:[a-z_]+:[a-z0-9_]+$/);
      else expect([alert, Object.keys(annotations ?? {})]).toEqual([expect.stringMatching(/^Uellm[A-Za-z]+$/), ['summary', 'description']]);
    }
    expect(new Set(rules.map((r) => r.record ?? r.alert)).size).toBe(rules.length);
    expect(dashboards.map((d) => d.uid).sort()).toEqual(['uellm-control-plane', 'uellm-fleet', 'uellm-gateway', 'uellm-slo']);
  });
});
