/** The manifests of Kubernetes and the unit of systemd: what they say of our roles and settings is so, and what no workload should lack is there. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { ENVIRONMENT_VARIABLES, readEnvironment } from './environment.ts';

const infra = fileURLToPath(new URL('../infra', import.meta.url));
const FOLDERS = ['base', 'hosts', 'overlays/production'];

interface Container {
  name: string;
  image: string;
  args: string[];
  env?: { name: string; value?: string }[];
  envFrom: ({ configMapRef: { name: string } } | { secretRef: { name: string } })[];
  ports?: { name: string; containerPort: number }[];
  livenessProbe?: { httpGet?: { port: string }; tcpSocket?: { port: string } };
  readinessProbe?: object;
  resources: { requests: object; limits: object };
  securityContext: { allowPrivilegeEscalation: boolean; readOnlyRootFilesystem?: boolean; capabilities: { drop: string[] } };
  volumeMounts: { name: string }[];
}
interface Pod {
  securityContext: { runAsNonRoot?: boolean };
  terminationGracePeriodSeconds?: number;
  containers: Container[];
  volumes: { name: string }[];
}
interface Manifest {
  kind: string;
  metadata: { name: string };
  spec?: {
    template?: { metadata: { labels: object }; spec: Pod };
    selector?: { matchLabels?: object } & Record<string, unknown>;
    ports?: { targetPort: string }[];
  };
}
interface Kustomization {
  resources: string[];
  images?: { name: string; newTag: string }[];
  configMapGenerator: { literals: string[] }[];
  patches?: { path?: string }[];
}

const kustomizations = FOLDERS.map((folder) => ({
  folder,
  files: readdirSync(join(infra, 'kubernetes', folder)),
  ...(parse(readFileSync(join(infra, 'kubernetes', folder, 'kustomization.yaml'), 'utf8')) as Kustomization),
}));
const manifests = kustomizations.flatMap(({ folder, resources }) =>
  resources
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => parseAllDocuments(readFileSync(join(infra, 'kubernetes', folder, file), 'utf8')).map((d) => d.toJS() as Manifest)),
);
const workloads = manifests.flatMap(({ kind, metadata, spec }) =>
  spec?.template ? [{ kind, name: metadata.name, ...spec.template }] : [],
);

describe('the manifests of Kubernetes', () => {
  it('leave out no file that is there', () => {
    for (const { files, resources, patches = [] } of kustomizations) {
      const named = [...resources, ...patches.flatMap(({ path }) => path ?? [])].filter((file) => file.endsWith('.yaml'));
      expect(files.sort()).toEqual([...named, 'kustomization.yaml'].sort());
    }
  });

  it('set what bin/environment.ts knows, to what it takes, and hold no secrets', () => {
    const settings = Object.fromEntries(
      kustomizations.flatMap(({ configMapGenerator }) =>
        configMapGenerator.flatMap(({ literals }) => literals.map((l) => l.split(/=(.*)/s))),
      ),
    ) as Record<string, string>;
    const { NODE_EXTRA_CA_CERTS, ...ours } = settings;
    expect(NODE_EXTRA_CA_CERTS).toMatch(/^\/etc\/uellm\//);
    expect(ENVIRONMENT_VARIABLES).toEqual(expect.arrayContaining(Object.keys(ours)));
    for (const secret of ['UELLM_API_KEY', 'DATABASE_URL', 'TEMPORAL_API_KEY']) expect(ours).not.toHaveProperty(secret);
    expect(manifests.map((m) => m.kind)).not.toContain('Secret');
    const environment = readEnvironment({ ...ours, UELLM_API_KEY: 'from-the-secret' });
    const gateway = workloads.find((w) => w.name === 'gateway')!.spec;
    const { drainSeconds, stopSeconds } = environment.gateway;
    expect(gateway.terminationGracePeriodSeconds).toBeGreaterThan(drainSeconds + stopSeconds! + 10);
    expect(environment).toMatchObject({ bind: '0.0.0.0', tls: { cert: '/etc/uellm/tls/tls.crt' }, workerMetricsPort: 9464 });
  });

  it('run every role, of images of this version', () => {
    expect(workloads.map(({ spec }) => spec.containers[0]!.args[0]).sort()).toEqual([
      ...['api', 'control', 'gateway', 'host', 'migrate', 'profiler'],
    ]);
    const { version } = JSON.parse(readFileSync(join(infra, '../package.json'), 'utf8')) as { version: string };
    const images = kustomizations.flatMap(({ images = [] }) => images);
    for (const { newTag } of images) expect(newTag).toBe(version);
    for (const { spec } of workloads) expect(images.map((i) => i.name)).toContain(spec.containers[0]!.image);
  });

  it.each(workloads.map((w) => [w.name, w] as const))('give %s what a workload needs', (name, { kind, spec }) => {
    const [container] = spec.containers as [Container];
    expect(Object.keys(container.resources.requests)).toEqual(['cpu', 'memory']);
    expect(container.securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
    const mounted = container.volumeMounts.map((m) => m.name);
    expect(spec.volumes.map((v) => v.name)).toEqual(mounted);
    const sources = container.envFrom.flatMap((source) => ('secretRef' in source ? [source.secretRef.name] : []));
    expect(sources).toEqual(name === 'host' ? [] : ['uellm']); // hosts have no database, and no key
    if (name !== 'host') {
      expect(spec.securityContext.runAsNonRoot).toBe(true);
      expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
    }
    if (kind !== 'Deployment') return;
    const [port] = container.ports!;
    const { httpGet, tcpSocket } = container.livenessProbe!;
    expect((httpGet ?? tcpSocket)?.port).toBe(port!.name);
    expect(container.readinessProbe).toBeDefined();
    expect(manifests.filter((m) => m.kind === 'PodDisruptionBudget').map((m) => m.metadata.name)).toContain(name);
    const { ports } = readEnvironment({});
    if (name !== 'control') expect(port!.containerPort).toBe(ports[name as keyof typeof ports]);
  });
});

describe('the unit of systemd', () => {
  const file = join(infra, 'systemd', 'uellm-host.service');
  const settings = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /^\w+=/.test(line));

  it('leaves engines alone when the worker ends, and starts the worker again', () => {
    expect(settings).toEqual(expect.arrayContaining(['KillMode=process', 'Restart=always']));
    expect(settings.filter((line) => line.startsWith('ExecStart='))).toEqual([expect.stringMatching(/bin\/uellm\.js host --name %H$/)]);
    for (const [, name] of settings.join('\n').matchAll(/^Environment=(\w+)=/gm)) expect(ENVIRONMENT_VARIABLES).toContain(name);
  });

  it.skipIf(spawnSync('systemd-analyze', ['--version']).error)('passes systemd-analyze verify', () => {
    expect(execFileSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8', stdio: 'pipe' })).toBe('');
  });
});
