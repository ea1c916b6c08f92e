import { describe, expect, it } from 'vitest';
import { type DeploymentSpec, deploymentSpecSchema } from './deployment.ts';
import { KNOWN_CONFIGS, modelShape } from './model-spec.ts';
import { type ReloadCandidate, reloadRefusal, type ServedRevision } from './reload.ts';

const shape = modelShape('llama-3.1-8b', KNOWN_CONFIGS['llama-3.1-8b']!, 'bf16');
const revision = (over: Record<string, unknown> = {}, utilisation: number | null = 0.45): ServedRevision => {
  const args = utilisation === null ? {} : { 'gpu-memory-utilization': utilisation };
  const spec: DeploymentSpec = deploymentSpecSchema.parse({
    ...{ name: 'chat', model: 'm', engine: { kind: 'triton', args }, rollout: { strategy: 'reload' } },
    ...over,
  });
  return { spec, shape };
};
const candidate = (over: Partial<ReloadCandidate> = {}): ReloadCandidate => ({
  ...{ id: 'r1', host: 'h1', engine: 'triton', acceleratorKind: 'A100-80G-SXM', tensorParallel: 1, state: 'ready' },
  old: revision(),
  ...over,
});

describe('a reload', () => {
  it('is possible where both fit and nothing else changes', () => {
    expect(reloadRefusal(revision(), [candidate(), candidate({ id: 'r2' })])).toBeNull();
  });

  it.each([
    ['another engine', revision(), [candidate({ engine: 'vllm' })], 'placement', /engine kind vllm/],
    ['more replicas', revision({ replicas: { min: 2, max: 4 } }), [candidate()], 'replicas', /1 replicas are there.*2 to 4/],
    ['fewer', revision({ replicas: { min: 1, max: 1 } }), [candidate(), candidate()], 'replicas', /2 replicas are there.*have 1 /],
    ['another host', revision({ placement: { hosts: ['h2'] } }), [candidate()], 'placement', /placement\.hosts/],
    ['other accelerators', revision({ placement: { accelerators: ['L4'] } }), [candidate()], 'accelerators', /placement\.accelerators/],
    ['no room for both', revision({}, null), [candidate()], 'memory', /45 % .* 90 %/],
    ['no room for the new one', revision({}, 0.2), [candidate()], 'memory', /do not fit 1 x A100-80G-SXM.* 20 %/],
  ] as const)('is refused for %s, naming what to do instead', (_, wanted, replicas, on, message) => {
    expect(reloadRefusal(wanted, replicas)).toMatchObject({
      kind: 'refused',
      on,
      subject: 'chat',
      nearest: expect.stringContaining('canary'),
    });
    expect(reloadRefusal(wanted, replicas)?.message).toMatch(message);
  });

  it('holds a Python model of the operator’s own to its weights alone', () => {
    const python = revision({ engine: { kind: 'triton', args: { backend: 'python', 'model-file': '/m.py' } } });
    expect(reloadRefusal(python, [candidate({ old: python })])).toBeNull();
    expect(reloadRefusal(python, [candidate({ old: python, acceleratorKind: 'L4' })])).toMatchObject({ on: 'memory' });
  });

  it('waits for an engine that does not serve just now', () => {
    expect(reloadRefusal(revision(), [candidate(), candidate({ id: 'r2', state: 'starting' })])).toMatchObject({
      ...{ kind: 'waiting', message: expect.stringContaining('r2 is starting') },
    });
  });
});
