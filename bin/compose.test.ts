import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ENVIRONMENT_VARIABLES } from './environment.ts';
import { readObjects } from './up/objects.ts';

/** The part of the compose specification that the file uses; anything else in it is a mistake. */
const healthcheckSchema = z.strictObject({ test: z.array(z.string()), interval: z.string(), retries: z.number() });
const serviceSchema = z.strictObject({
  image: z.string().regex(/^[\w./-]+:[\w.]+$/, 'an image with its version'),
  build: z.strictObject({ context: z.literal('.'), dockerfile: z.string() }).optional(),
  restart: z.enum(['unless-stopped', 'on-failure']),
  command: z.array(z.string()).optional(),
  stop_grace_period: z.string().optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  ports: z.array(z.string().regex(/^(127\.0\.0\.1:)?\d+:\d+$/)).optional(),
  volumes: z.array(z.string().regex(/^([a-z]+:\/[\w/]+|\.\/infra\/[\w/]+:\/[\w/]+:ro)$/)).optional(),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.enum(['service_healthy', 'service_completed_successfully']) })).optional(),
  healthcheck: healthcheckSchema.optional(),
});
const composeSchema = z.looseObject({
  name: z.literal('uellm'),
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
});

const root = new URL('../', import.meta.url);
const path = (name: string) => fileURLToPath(new URL(name, root));
const compose = composeSchema.parse(parse(readFileSync(path('docker-compose.yml'), 'utf8'), { merge: true }));
const ours = Object.entries(compose.services).filter(([, service]) => service.build);

describe('docker-compose.yml', () => {
  it('sets no variable that bin/environment.ts does not know', () => {
    for (const [, { environment }] of ours) expect(ENVIRONMENT_VARIABLES).toEqual(expect.arrayContaining(Object.keys(environment)));
  });

  it('runs every role, from the one image whose Dockerfile is there', () => {
    expect(ours.map(([, service]) => service.command?.[0]).sort()).toEqual(['api', 'control', 'gateway', 'host', 'migrate', 'profiler']);
    const { version } = JSON.parse(readFileSync(path('package.json'), 'utf8')) as { version: string };
    for (const [, service] of ours) {
      expect(service.image).toBe(`uellm:${version}`);
      expect(existsSync(path(service.build!.dockerfile))).toBe(true);
    }
  });

  it('gives hosts no database, and everyone else its URL', () => {
    for (const [name, { environment }] of ours) expect('DATABASE_URL' in environment).toBe(name !== 'hosts');
  });

  it('refers to services, volumes and hosts that exist', () => {
    for (const [, service] of Object.entries(compose.services)) {
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(compose.services).toHaveProperty(other);
        if (condition === 'service_healthy') expect(compose.services[other]?.healthcheck).toBeDefined();
      }
      for (const [from = ''] of service.volumes?.map((volume) => volume.split(':')) ?? []) {
        if (from.startsWith('./')) expect(existsSync(path(from))).toBe(true);
        else expect(compose.volumes).toHaveProperty(from);
      }
    }
    const hosts = readObjects(path('infra/demo/fleet.yaml')).flatMap((o) => (o.kind === 'Host' ? [o.spec.name] : []));
    expect(compose.services.hosts?.command?.at(-1)?.split(',')).toEqual(hosts);
  });
});
