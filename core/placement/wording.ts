/** Figures as people read them in reasons and refusals. */
import type { SloTargets } from '../domain/slo-policy.ts';
import type { Shape } from './shapes.ts';

export function countOf(replicas: number): string {
  return `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`;
}

export function perSecond(requests: number): string {
  return `${requests >= 1 || requests === 0 ? requests.toFixed(1) : requests.toPrecision(2)} req/s`;
}

export function describeShape({ acceleratorKind, tensorParallel }: Pick<Shape, 'acceleratorKind' | 'tensorParallel'>): string {
  return `${tensorParallel} ${acceleratorKind}`;
}

export function describeTargets(targets: SloTargets | null): string {
  if (!targets) return 'short queues (no SLO names targets)';
  const parts = [
    targets.ttftMs === undefined ? [] : [`TTFT ${targets.ttftMs} ms`],
    targets.tpotMs === undefined ? [] : [`TPOT ${targets.tpotMs} ms`],
    targets.e2eMs === undefined ? [] : [`${targets.e2eMs} ms end to end`],
  ].flat();
  return `${parts.join(', ')} for ${Number((targets.attainment * 100).toFixed(2))} %`;
}
