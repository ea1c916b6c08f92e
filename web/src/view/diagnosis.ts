/** What binds replicas, and what accelerators more or fewer would do, as the page words it. */
import type { AdviceItem, AdviceOptionItem, DiagnosisAnswer, ReplicaDiagnosisItem } from '../../../api/schema/index.ts';
import type { Tone } from './tones.ts';

export function bindsTone({ binds }: ReplicaDiagnosisItem): Tone {
  if (binds === 'idle') return 'quiet';
  return binds === 'queue' || binds === 'kv-cache' ? 'warn' : 'busy';
}

/** How full it is: what is asked of it over what it can serve within its SLO. null where nothing came. */
export function loadShare({ demand, limit }: ReplicaDiagnosisItem): number | null {
  return demand === null || limit.requestsPerSecond <= 0 ? null : demand.requestsPerSecond / limit.requestsPerSecond;
}

/** The advice for a replica's shape: what one more of it, or a wider one, would bring; the least accelerators first. */
export function moreFor(answer: DiagnosisAnswer, replica: ReplicaDiagnosisItem): AdviceOptionItem[] {
  const of = answer.advice.find((advice) => isShapeOf(advice, replica));
  return (of?.options ?? []).filter((option) => option.accelerators > 0).sort((a, b) => a.accelerators - b.accelerators);
}

function isShapeOf(advice: AdviceItem, { deployment, acceleratorKind, tensorParallel }: ReplicaDiagnosisItem): boolean {
  return advice.deployment === deployment && advice.acceleratorKind === acceleratorKind && advice.tensorParallel === tensorParallel;
}

const VERDICT_TONES: Record<AdviceOptionItem['verdict'], Tone> = {
  gains: 'good',
  saves: 'good',
  loses: 'bad',
  short: 'bad',
  impossible: 'quiet',
};
export const verdictTone = ({ verdict }: AdviceOptionItem): Tone => VERDICT_TONES[verdict];

/** `one more replica, +2`; `on 4 instead, +2`: accelerators. */
export function moreText({ change, accelerators, tensorParallel }: AdviceOptionItem): string {
  return change === 'add-replica' ? `one more replica, +${accelerators}` : `on ${tensorParallel} instead, +${accelerators}`;
}
