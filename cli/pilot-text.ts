/** A pilot's report as people read it: attainment and money now and as they would be, and what is proposed. */
import type { PilotReport } from '../api/schema/index.ts';
import { counted } from '../core/domain/counted.ts';
import { MODES } from './commands/mode.ts';
import { usd } from './cost-text.ts';
import { proposalLines } from './details.ts';
import { ms, NONE, percent } from './output/figures.ts';
import { type Row, renderTable, type TableStyle } from './output/table.ts';

type Attainment = PilotReport['policies'][number];

export function pilotText(report: PilotReport, style: TableStyle): string {
  const { deployment, mode, from, until, observed, policies, money, predictions, proposals, notes } = report;
  const { predicted, withinP90 } = predictions;
  return [
    `${deployment} is in ${mode} mode: ${MODES[mode]}\n`,
    `${counted(observed, 'request')} from ${from} until ${until}\n`,
    ...(policies.length > 0 ? ['\n', policyTable(policies, style)] : []),
    ...(report.latencies ? ['\n', latencyTable(report.latencies, style)] : []),
    `\nmoney: ${usd(money.now.usdPerHour)} USD/h now on ${counted(money.now.replicas, 'replica')}, ` +
      `${usd(money.wouldBe.usdPerHour)} USD/h on ${money.wouldBe.replicas} as proposed\n`,
    `predictions: ${predicted === 0 ? 'none of answers of known length yet' : `${withinP90} of ${predicted} answers within their p90, ${percent(withinP90 / predicted)} where 90 % are meant`}\n`,
    proposals.length > 0 ? '\nproposed:\n' : 'proposed: nothing yet; the planner looks with each rebalance\n',
    ...proposals.flatMap((proposal) => proposalLines(proposal).map((line) => `  ${line}\n`)),
    ...notes.map((note) => `note: ${note}\n`),
  ].join('');
}

function policyTable(policies: readonly Attainment[], style: TableStyle): string {
  return renderTable(
    ['POLICY', 'REQUESTS', 'OBSERVED', '±', 'NOW, REPLAYED', 'WOULD BE', 'TARGET'],
    policies.map(({ policy, requests, observed, margin, now, wouldBe, targetAttainment, suffices }) => [
      policy,
      suffices ? String(requests) : { text: `${requests}, few`, tone: 'busy' },
      ...[percent(observed), margin === null ? NONE : percent(margin), percent(now)],
      wouldBe === null ? NONE : { text: percent(wouldBe), tone: wouldBe < targetAttainment ? 'bad' : 'good' },
      percent(targetAttainment),
    ]),
    style,
  );
}

function latencyTable({ observed, now, wouldBe }: NonNullable<PilotReport['latencies']>, style: TableStyle): string {
  const row = (name: string, { ttftMs, tpotMs, waitMs, unserved }: typeof now): Row => [
    name,
    ...[ms(ttftMs?.p50), ms(ttftMs?.p99), ms(tpotMs?.p50), ms(tpotMs?.p99), ms(waitMs?.p99), String(unserved)],
  ];
  const header = ['', 'TTFT p50', 'p99', 'TPOT p50', 'p99', 'WAIT p99', 'UNSERVED'];
  return renderTable(header, [row('observed', observed), row('now, replayed', now), row('would be', wouldBe)], style);
}
