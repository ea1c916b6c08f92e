/** A pilot's report as people read it: attainment and money now and as they would be, and what is proposed. */
import type { PilotReport } from '../api/schema/index.ts';
import { counted } from '../core/domain/counted.ts';
import { declinedInWords, PENDING_STATES, type ProposalState } from '../core/domain/proposal.ts';
import { MODES } from './commands/mode.ts';
import { usd } from './cost-text.ts';
import { proposalLines } from './details.ts';
import { ms, NONE, percent } from './output/figures.ts';
import { type Row, renderTable, type TableStyle } from './output/table.ts';

type Attainment = PilotReport['policies'][number];

export function pilotText(report: PilotReport, style: TableStyle): string {
  const { deployment, mode, from, until, policies, money, notes } = report;
  return [
    `${deployment} is in ${mode} mode: ${MODES[mode]}\n`,
    `${counted(report.observed, 'request')} observed from ${from} until ${until}: ${becameText(report)}\n`,
    judgedText(report),
    ...(policies.length > 0 ? ['\n', policyTable(policies, style)] : []),
    ...(report.latencies ? ['\n', latencyTable(report.latencies, style)] : []),
    `\nmoney: ${usd(money.now.usdPerHour)} USD/h now on ${counted(money.now.replicas, 'replica')}, ` +
      `${usd(money.wouldBe.usdPerHour)} USD/h on ${money.wouldBe.replicas} as proposed\n`,
    predictionText(report),
    ...proposalsText(report),
    ...notes.map((note) => `note: ${note}\n`),
  ].join('');
}

function becameText({ observed, answered, cancelled }: PilotReport): string {
  return `${answered} answered, ${observed - answered - cancelled} not served, ${cancelled} cancelled by their client`;
}

/** How many of them the table rests on, and why not on the others. */
function judgedText({ observed, replayed, counted: judged, scheduler }: PilotReport): string {
  if (replayed === 0) return '';
  const why = replayed < observed ? `${observed - replayed} not in the sample, the others cancelled or at an edge of it` : 'cancelled';
  const skipped = observed > judged ? `; ${observed - judged} skipped: ${why}` : '';
  return `${judged} of them judged, replayed as they are scheduled now and as ${scheduler} would in auto mode${skipped}\n`;
}

function predictionText({ answered, predictions: { predicted, withinP90 } }: PilotReport): string {
  if (predicted === 0) return 'predictions: none of answers of known length yet\n';
  const share = `${percent(withinP90 / predicted)} where 90 % are meant`;
  return `predictions: ${predicted} of ${counted(answered, 'answer')} had one and a known length; ${withinP90} of those are within their p90, ${share}\n`;
}

/** In the order in which they concern an operator. */
const HEADINGS: Record<ProposalState, string> = {
  open: 'waits for an operator',
  approved: 'approved, and not carried out yet',
  noted: 'noted, as nobody is asked in shadow mode',
  done: 'done',
  failed: 'approved, and failed',
  outdated: 'approved, and did not fit any more',
  declined: 'declined',
  expired: 'expired',
  withdrawn: 'withdrawn',
};

function proposalsText({ proposals, until }: PilotReport): string[] {
  const nowMs = Date.parse(until);
  const standing = proposals.find((p) => p.state === 'declined' && p.kind === 'rebalance' && Date.parse(p.expiresAt) > nowMs);
  const why = standing ? `${standing.id} was ${declinedInWords(standing, nowMs)}` : 'the planner looks with each rebalance';
  const isPending = proposals.some(({ state }) => PENDING_STATES.includes(state));
  return [
    ...(isPending ? [] : [`proposed: nothing ${proposals.length > 0 ? 'now' : 'yet'}; ${why}\n`]),
    ...(Object.keys(HEADINGS) as ProposalState[]).flatMap((state) => {
      const own = proposals.filter((p) => p.state === state);
      if (own.length === 0) return [];
      return [`\n${HEADINGS[state]}:\n`, ...own.flatMap((p) => proposalLines(p, nowMs).map((line) => `  ${line}\n`))];
    }),
  ];
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
