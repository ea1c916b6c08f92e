import { describe, expect, it } from 'vitest';
import type { Drain, HostResource, ReplicaResource } from '../../../api/schema/index.ts';
import { knownDrains } from './drains.ts';
import { health } from './health.ts';
import { workflowUrl } from './links.ts';
import { actionsOf, progress, type Stage, stageSeconds } from './rollouts.ts';
import { attainmentTone, hostState, replicaLabel } from './tones.ts';

describe('hostState', () => {
  it.each([
    ['alive', 'schedulable', 'ready'],
    ['alive', 'draining', 'draining'],
    ['alive', 'cordoned', 'cordoned'],
    ['lost', 'draining', 'lost'],
    ['suspect', 'schedulable', 'suspect'],
    ['pending', 'schedulable', 'pending'],
    ['pending', 'cordoned', 'cordoned'],
  ] as const)('%s and %s is %s', (liveness, service, label) => {
    expect(hostState({ status: { liveness, service } } as HostResource).label).toBe(label);
  });
});

it.each([
  ['ready', null, 'ready', 'good'],
  ['ready', 'connection refused', 'unreachable', 'bad'],
  ['draining', 'connection refused', 'draining', 'busy'],
] as const)('a replica that is %s, out of reach by %s, is %s', (state, unreachable, label, tone) => {
  expect(replicaLabel({ state, status: { unreachable } } as ReplicaResource)).toEqual({ label, tone });
});

it.each([
  [0.96, 0.95, 10, 'good'],
  [0.92, 0.95, 10, 'warn'],
  [0.5, 0.95, 10, 'bad'],
  [0.5, 0.95, 0, 'quiet'],
  [0.5, null, 10, 'quiet'],
] as const)('attained %f of %f by %i requests is %s', (attained, target, requests, tone) => {
  expect(attainmentTone(attained, target, requests)).toBe(tone);
});

describe('health', () => {
  const ok = { ready: true, checks: { postgres: 'ok', temporal: 'ok' } };

  it('says who is away', () => {
    expect(health({ ready: false, checks: { postgres: 'ok', temporal: 'no answer' } }, 'live')).toMatchObject({
      tone: 'bad',
      label: 'Away: temporal',
    });
  });

  it('warns that what is shown may be old once the stream is lost', () => {
    expect(health(ok, 'lost').tone).toBe('bad');
    expect(health(ok, 'live').tone).toBe('good');
    expect(health(null, 'connecting').tone).toBe('quiet');
  });
});

describe('rollouts', () => {
  const stage = (state: Stage['state'], startedAtMs: number | null, endedAtMs: number | null): Stage => ({
    stage: 'plan',
    state,
    detail: '',
    startedAtMs,
    endedAtMs,
  });

  it('offer what their phase allows', () => {
    expect(actionsOf('running')).toEqual(['pause', 'abort']);
    expect(actionsOf('paused')).toContain('resume');
    expect(actionsOf('awaiting-approval')).toContain('approve');
    expect(actionsOf('succeeded')).toEqual([]);
  });

  it('say how far they are and how long each stage took', () => {
    const stages = [stage('done', 0, 1500), stage('skipped', null, null), stage('running', 2000, null)];
    expect(progress(stages)).toBe('2 of 3 stages');
    expect(stages.map((s) => stageSeconds(s, 5000))).toEqual([1.5, null, 3]);
  });
});

describe('knownDrains', () => {
  const drain = (host: string, running: boolean) => ({ host, running, phase: running ? 'draining' : 'blocked' }) as Drain;
  const host = (name: string, lastDrain: object | null) => ({ name, status: { lastDrain } }) as HostResource;

  it('lists running ones first, then what earlier ones left', () => {
    const known = knownDrains([drain('a', false), drain('b', true)], [host('a', {}), host('c', { host: 'c' }), host('d', null)]);
    expect(known.map((d) => `${d.host} ${d.phase}`)).toEqual(['b draining', 'a blocked', 'c drained']);
  });
});

it('links to a workflow, in the default namespace unless the address names one', () => {
  expect(workflowUrl('http://t:8233/', 'drain-a')).toBe('http://t:8233/namespaces/default/workflows/drain-a');
  expect(workflowUrl('http://t:8233/namespaces/prod', 'drain-a')).toBe('http://t:8233/namespaces/prod/workflows/drain-a');
  expect(workflowUrl(null, 'drain-a')).toBeNull();
});
