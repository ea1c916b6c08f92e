/** A value report as CSV: one kind of rows a table, so that its columns can be added up. Headers name units. */
import { type CsvColumns, csvOf } from '../../csv.ts';
import type { DeploymentValueItem, IdleValueItem, ValueLineItem, ValueReport, ValueReportPart } from '../../schema/index.ts';

type Money = Pick<ValueLineItem, 'acceleratorUsd' | 'fixedUsd' | 'spentUsd'>;
/** Idle accelerators have money and nothing else. */
type Row = Money & Partial<ValueLineItem & Pick<DeploymentValueItem, 'breakEven'>> & { idle: IdleValueItem | null };

export function valueCsv(report: ValueReport, by: ValueReportPart): string {
  const rows: Row[] = { line: report.lines, deployment: report.deployments, policy: report.policies, tenant: report.tenants }[by].map(
    (part) => ({
      ...part,
      idle: null,
    }),
  );
  const names = by === 'line' ? (['deployment', 'policy', 'tenant'] as const) : ([by] as const);
  const columns: CsvColumns<Row> = {
    from: () => report.from,
    to: () => report.to,
    part: (row) => (row.idle ? 'idle' : 'served'),
    ...Object.fromEntries(names.map((name) => [name, (row: Row) => row[name] ?? null])),
    idle_host: (row) => row.idle?.host ?? null,
    idle_accelerator: (row) => row.idle?.acceleratorKind ?? null,
    requests: (row) => row.requests ?? null,
    answered_requests: (row) => row.answered ?? null,
    judged_requests: (row) => row.judged ?? null,
    attained_requests: (row) => row.attained ?? null,
    attainment_ratio: (row) => row.attainment ?? null,
    input_tokens: (row) => row.inputTokens ?? null,
    output_tokens: (row) => row.outputTokens ?? null,
    accelerators_usd: (row) => row.acceleratorUsd,
    fixed_usd: (row) => row.fixedUsd,
    spent_usd: (row) => row.spentUsd,
    spent_usd_per_1000_requests: (row) => row.usdPerThousandRequests ?? null,
    spent_usd_per_1000000_tokens: (row) => row.usdPerMillionTokens ?? null,
    earned_usd: (row) => row.earnedUsd ?? null,
    penalty_usd: (row) => row.penaltyUsd ?? null,
    net_usd: (row) => row.netUsd ?? null,
    ...(by === 'deployment' && {
      break_even_requests_per_hour: (row: Row) => row.breakEven?.requestsPerHour ?? null,
    }),
  };
  return csvOf(columns, [...rows, ...report.idle.map((idle) => ({ ...idle, idle }))]);
}
