/** Figures as people read them in reasons and refusals. */
import type { SloTargets } from '../domain/slo-policy.ts';
import type { Shape } from './shapes.ts';

export function countOf(replicas: number): string {
  return `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`;
}

export function perSecond(requests: number): string {
  return `${requests >= 1 || requests === 0 ? requests.toFixed(1) : requests.toPrecision(2)} req/s`;
}

/** `0.27 of 2.0 req/s`: in as many digits as tell the two apart. */
export function perSecondOf(part: number, whole: number): string {
  const digits = [1, 2, 3, 4, 6, 9].find((d) => part.toFixed(d) !== whole.toFixed(d)) ?? 9;
  const figure = (rate: number) => (rate > 0 && rate < 1 ? String(Number(rate.toPrecision(digits + 1))) : rate.toFixed(digits));
  return `${figure(part)} of ${figure(whole)} req/s`;
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
