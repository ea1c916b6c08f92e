/** A diagnosis as people read it: a line for each replica, then for each deployment what changes of accelerators would come to. */
import type { AdviceItem, AdviceOptionItem, DiagnosisAnswer, ReplicaDiagnosisItem } from '../api/schema/index.ts';
import { counted } from '../core/domain/counted.ts';
import { rate, usd } from './cost-text.ts';
import { ms, NONE } from './output/figures.ts';
import { type Row, renderTable, type TableStyle } from './output/table.ts';

export function diagnosisText(diagnosis: DiagnosisAnswer, style: TableStyle, { one }: { one: string | undefined }): string {
  const { replicas, advice, missing, declined, windowSeconds } = diagnosis;
  const missed = [
    ...missing.map(({ subject, reason, since }) => `${subject} misses replicas since ${since}: ${reason}\n`),
    ...declined.map(({ deployment, reason }) => `${deployment} has no open proposal; ${reason}\n`),
  ];
  if (replicas.length === 0) return [...missed, one === undefined ? 'no replica is ready\n' : `${one} has no ready replica\n`].join('');
  return [
    ...missed,
    `What binds, by the requests of the last ${windowSeconds % 60 === 0 ? counted(windowSeconds / 60, 'minute') : counted(windowSeconds, 'second')}\n`,
    renderTable(['DEPLOYMENT', 'REPLICA', 'HOST', 'SHAPE', 'BINDS', 'WHY', 'AT THE LIMIT'], replicas.map(replicaRow), style),
    ...advice.flatMap((a) => [
      `\n${titleOf(a)}\n`,
      renderTable(['CHANGE', 'REQ/S', 'TTFT', 'TPOT', 'USD/H', 'WHAT IT DOES'], [nowRow(a), ...a.options.map(optionRow)], style),
    ]),
  ].join('');
}

function replicaRow(r: ReplicaDiagnosisItem): Row {
  const missed = r.attainment !== null && r.targetAttainment !== null && r.attainment < r.targetAttainment;
  return [
    r.simulated ? `${r.deployment} (simulated)` : r.deployment,
    r.replicaId,
    r.host,
    `${r.tensorParallel} ${r.acceleratorKind}`,
    { text: r.binds, tone: r.binds === 'idle' ? 'dim' : missed ? 'bad' : 'busy' },
    r.why,
    limitText(r.limit),
  ];
}

function limitText({ requestsPerSecond, meetsSlo, binds, withTwice }: ReplicaDiagnosisItem['limit']): string {
  const twice = binds === 'queue' ? undefined : withTwice[binds];
  const gain = twice === undefined ? '' : twice === null ? ' (twice: attains)' : ` (twice: +${Math.round((twice - 1) * 100)} %)`;
  return `${meetsSlo ? '' : 'SLO out of reach: '}${rate(requestsPerSecond)} req/s, ${binds}${gain}`;
}

function titleOf({ deployment, replicas, allReplicas, tensorParallel, acceleratorKind, demand, observed }: AdviceItem): string {
  const lengths = `${Math.round(demand.inputTokens)} tokens in, ${Math.round(demand.outputTokens)} out`;
  const others = allReplicas > replicas ? ` of ${allReplicas}` : '';
  const asked = `${rate(demand.requestsPerSecond)} req/s ${observed ? 'came' : 'are planned for'} (${lengths})`;
  return `${deployment}: ${counted(replicas, 'replica')}${others} on ${tensorParallel} ${acceleratorKind}, ${asked}`;
}

function nowRow({ now }: AdviceItem): Row {
  return ['as it is', ...figures(now), now.meetsSlo ? '' : { text: 'its SLO is out of reach', tone: 'bad' }];
}

const TONES = { gains: 'good', saves: 'good', loses: 'bad', short: 'bad', impossible: 'dim' } as const;

function optionRow({ change, tensorParallel, outcome, verdict, message }: AdviceOptionItem): Row {
  return [changeText(change, tensorParallel), ...figures(outcome), { text: message, tone: TONES[verdict] }];
}

function changeText(change: AdviceOptionItem['change'], tensorParallel: number): string {
  switch (change) {
    case 'add-replica':
      return 'one replica more';
    case 'remove-replica':
      return 'one replica fewer';
    case 'widen':
    case 'narrow':
      return `one over ${counted(tensorParallel, 'accelerator')}`;
  }
}

function figures(outcome: AdviceItem['now'] | null): string[] {
  if (!outcome) return [NONE, NONE, NONE, NONE];
  // Where more comes than can be served, waiting grows without end.
  const latency = (value: number | null) => (value === null ? 'grows' : ms(value));
  return [rate(outcome.requestsPerSecond), latency(outcome.ttftMs), latency(outcome.tpotMs), usd(outcome.usdPerHour)];
}
