/** A what-if as people read it: what changes, and what was observed, before and after beneath each other. */
import type { DeploymentFared, Fared, WhatIf, WhatIfMoney } from '../api/schema/index.ts';
import { counted } from '../core/domain/counted.ts';
import { usd } from './cost-text.ts';
import { ms, NONE, percent } from './output/figures.ts';
import { type Row, renderTable, type TableStyle } from './output/table.ts';

export function whatIfText(answer: WhatIf, style: TableStyle): string {
  const { changes, deployments, totals, notes } = answer;
  const lines =
    changes.length > 0 ? changes.map((line) => `  ${line}\n`) : ['  nothing: give -f, --price, --add, --remove, --replicas or --mode\n'];
  return [
    'What changes\n',
    ...lines,
    ...(deployments.length > 0 ? ['\n', policyTable(answer, style), '\n', deploymentTable(answer, style), '\n'] : ['\n']),
    ...(deployments.length > 0 ? [moneyLine(totals.before, totals.after)] : []),
    ...notes.map((note) => `note: ${note}\n`),
  ].join('');
}

/** Attainment by policy; what `apply --dry-run` shows beneath a policy's difference. */
export function policyTable({ windowSeconds, observed, counted: judged, policies, scheduler }: WhatIf, style: TableStyle): string {
  const sample = judged < observed ? `, ${judged} of them counted` : '';
  return [
    `By SLO policy, over ${counted(observed, 'request')} of the last ${duration(windowSeconds)}${sample}, scheduled by ${scheduler}\n`,
    renderTable(
      ['POLICY', 'REQUESTS', 'OBSERVED', 'BEFORE', 'AFTER', 'TARGET', 'WORTH USD/H BEFORE', 'WORTH AFTER'],
      policies.map(({ policy, observed: seen, before, after }) => [
        policy,
        before?.requests === after?.requests ? String(before?.requests ?? 0) : `${before?.requests ?? 0} -> ${after?.requests ?? 0}`,
        percent(seen?.attainment ?? null),
        percent(before?.attainment ?? null),
        attained(after),
        percent((after ?? before)?.targetAttainment ?? null),
        usd(before?.worthUsdPerHour ?? null),
        usd(after?.worthUsdPerHour ?? null),
      ]),
      style,
    ),
  ].join('');
}

function attained(after: WhatIf['policies'][number]['after']): Row[number] {
  const share = after?.attainment ?? null;
  if (!after || share === null) return NONE;
  return { text: percent(share), tone: share < after.targetAttainment ? 'bad' : 'good' };
}

function deploymentTable({ deployments }: WhatIf, style: TableStyle): string {
  const latencies = ['TTFT p50', 'p90', 'p99', 'TPOT p50', 'p90', 'p99', 'WAIT p99'];
  return renderTable(
    ['DEPLOYMENT', '', 'ATTAINED', 'REPLICAS', 'USD/H', 'USD/1K REQ', ...latencies, 'UNSERVED'],
    deployments.flatMap(({ deployment, observed, before, after }): Row[] => [
      [deployment, 'observed', ...fares(observed)],
      ['', 'before', ...fares(before, before)],
      ['', 'after', ...fares(after, after)],
    ]),
    style,
  );
}

function fares({ attainment, ttftMs, tpotMs, waitMs, unserved }: Fared | DeploymentFared, money?: WhatIfMoney): Row {
  return [
    percent(attainment),
    ...(money ? [String(money.replicas), usd(money.usdPerHour), usd(money.usdPerThousandRequests)] : ['', '', '']),
    ...[ttftMs, tpotMs].flatMap((q) => [ms(q?.p50), ms(q?.p90), ms(q?.p99)]),
    ms(waitMs?.p99),
    String(unserved),
  ];
}

function moneyLine(before: WhatIfMoney, after: WhatIfMoney): string {
  const per = (money: WhatIfMoney) => usd(money.usdPerThousandRequests);
  return `money: ${usd(before.usdPerHour)} -> ${usd(after.usdPerHour)} USD/h, ${per(before)} -> ${per(after)} USD per thousand requests\n`;
}

function duration(seconds: number): string {
  return seconds < 3600 ? counted(Math.round(seconds / 60), 'minute') : counted(Number((seconds / 3600).toFixed(1)), 'hour');
}
