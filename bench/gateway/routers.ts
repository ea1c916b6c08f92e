/**
 * The routers that are compared: what each is installed from, and how it is started before the same engines. The others run as they come,
 * but write warnings only, ask for no key (litellm must) and, unless told otherwise, choose an engine by turns, which costs them least; ours has its scheduler,
 * its accounts, its metrics and a key.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureFeatureKey } from '../../bin/up/feature-key.ts';
import { MODEL } from './engine-answers.ts';
import type { Package } from './install.ts';

export interface Place {
  port: number;
  /** A second one that is free, for those who serve metrics apart. */
  metricsPort: number;
  engineUrls: readonly string[];
  /** Where it may write files. */
  folder: string;
  /** Most requests open on one engine. */
  maxInFlight: number;
  /** By which the others choose an engine; null for what each has by default. */
  peerPolicy: string | null;
}

export interface Command {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Path that answers 200 once it serves. */
  ready: string;
  /** What its clients send. */
  headers: Record<string, string>;
}

export interface RouterKind {
  name: string;
  /** null for what is built here. */
  package: Package | null;
  /** @param installed the package's folder */
  command(place: Place, installed: string): Promise<Command>;
}

const KEY = 'sk-bench-0123456789abcdef';
const BEARER = { authorization: `Bearer ${KEY}` };
const HERE = '127.0.0.1';
/** So that they refuse nothing: they do not queue as ours does. */
const MOST_CONCURRENT = 8192;
/** The engines compute nothing: no batch is too large for an SLO there. */
const AT_ONCE = { d0: 0.01, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 0 };

/** The command `uellm`. @param tree a checkout that is built; this one where absent */
export function uellmBinary(tree: string | undefined): string {
  return tree ? join(tree, 'bin', 'uellm.js') : fileURLToPath(new URL('../../bin/uellm.js', import.meta.url));
}

export function uellm(tree: string | undefined): RouterKind {
  return {
    name: 'uellm',
    package: null,
    async command({ port, engineUrls, folder, maxInFlight }) {
      const config = join(folder, 'gateway.json');
      const replicas = engineUrls.map((endpoint) => ({ endpoint, model: MODEL, maxInFlight, kvCacheTokens: 1e9, stepTime: AT_ONCE }));
      const policies = [
        { name: 'interactive', match: { class: 'interactive' }, targets: { ttftMs: 500, tpotMs: 50 }, priority: 100 },
        { name: 'standard', match: { class: 'standard' }, targets: { ttftMs: 2000, tpotMs: 100 } },
        { name: 'batch', match: { class: 'batch' }, targets: { e2eMs: 600_000 }, priority: -1 },
      ];
      writeFileSync(config, JSON.stringify({ replicas, policies }));
      const env = {
        ...process.env,
        UELLM_GATEWAY_PORT: String(port),
        UELLM_API_KEY: KEY,
        UELLM_FEATURE_KEY_FILE: await ensureFeatureKey(join(folder, 'feature-key')),
        UELLM_LOG_LEVEL: 'warn',
      };
      return {
        ...{ command: process.execPath, args: [uellmBinary(tree), 'gateway', '--config', config], env },
        ...{ ready: '/readyz', headers: BEARER },
      };
    },
  };
}

const smg: RouterKind = {
  name: 'smg',
  package: { registry: 'pypi', name: 'smg', version: '1.13.0' },
  command: async (place, installed) => rust(join(installed, 'bin', 'smg'), ['launch', '--log-level', 'warn'], place),
};

const vllmRouter: RouterKind = {
  name: 'vllm-router',
  package: { registry: 'pypi', name: 'vllm-router', version: '0.1.17' },
  command: async (place, installed) => rust(join(installed, 'bin', 'vllm-router'), ['--log-level', 'warning'], place),
};

const sglangRouter: RouterKind = {
  name: 'sglang-router',
  package: { registry: 'pypi', name: 'sglang-router', version: '0.3.2' },
  command: async (place, installed) => rust(join(installed, 'bin', 'sglang-router'), ['launch', '--log-level', 'warn'], place),
};

/** The three are relatives, with the same flags. */
function rust(command: string, flags: string[], { port, metricsPort, engineUrls, maxInFlight, peerPolicy }: Place): Command {
  const args = [...flags, '--host', HERE, '--port', String(port), '--prometheus-port', String(metricsPort)];
  args.push('--max-concurrent-requests', String(Math.max(MOST_CONCURRENT, maxInFlight * engineUrls.length)));
  if (peerPolicy !== null) args.push('--policy', peerPolicy);
  return { command, args: [...args, '--worker-urls', ...engineUrls], env: process.env, ready: '/v1/models', headers: {} };
}

const litellm: RouterKind = {
  name: 'litellm',
  package: { registry: 'pypi', name: 'litellm[proxy]', version: '1.106.2' },
  async command({ port, engineUrls, folder }, installed) {
    const config = join(folder, 'litellm.json');
    const model_list = engineUrls.map((url) => ({
      model_name: MODEL,
      litellm_params: { model: `hosted_vllm/${MODEL}`, api_base: `${url}/v1`, api_key: 'none' },
    }));
    writeFileSync(config, JSON.stringify({ model_list }));
    // It would fetch a list of prices from the internet at its start.
    const env = { ...process.env, LITELLM_LOCAL_MODEL_COST_MAP: 'True', LITELLM_LOG: 'ERROR', LITELLM_MASTER_KEY: KEY };
    const args = ['--config', config, '--host', HERE, '--port', String(port), '--num_workers', '1'];
    return { command: join(installed, 'bin', 'litellm'), args, env, ready: '/health/readiness', headers: BEARER };
  },
};

const portkey: RouterKind = {
  name: 'portkey',
  package: { registry: 'npm', name: '@portkey-ai/gateway', version: '1.15.2' },
  async command({ port, engineUrls }, installed) {
    const targets = engineUrls.map((url) => ({ provider: 'openai', api_key: 'none', custom_host: `${url}/v1`, weight: 1 }));
    const headers = { 'x-portkey-config': JSON.stringify({ strategy: { mode: 'loadbalance' }, targets }) };
    const args = [join(installed, 'node_modules/@portkey-ai/gateway/build/start-server.js'), `--port=${port}`, '--headless'];
    return { command: process.execPath, args, env: { ...process.env, NODE_ENV: 'production' }, ready: '/', headers };
  },
};

/** Those that bars speak of first. */
export const PEERS: readonly RouterKind[] = [smg, vllmRouter, sglangRouter, litellm, portkey];
export const DEFAULT_PEERS = ['smg', 'vllm-router'];

/** Makes the folder of a router's files. */
export function folderOf(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}
