/** A plan as people read it: one line for like replicas, then the money, then what is not placed. */

import { groupBy } from '../../core/domain/group-by.ts';
import { NONE } from '../output/figures.ts';
import { renderTable, type TableStyle } from '../output/table.ts';
import type { PlannedModels } from './models-file.ts';
import type { PlanResult } from './plan.ts';

/** So many hosts are named; more are counted. */
const NAMED_HOSTS = 4;

export function planText(result: PlanResult, { deployments }: PlannedModels, style: TableStyle): string {
  const groups = groupBy(result.replicas, (r) => `${r.model} ${shapeText(r)}`);
  const rows = [...groups.values()].map((replicas) => {
    const [first] = replicas as [PlanResult['replicas'][number]];
    const hosts = [...new Set(replicas.flatMap((r) => r.pipelineStages?.map((stage) => stage.host) ?? [r.host]))];
    const present = replicas.filter((r) => r.present).length;
    return [
      first.model,
      `${replicas.length} × ${shapeText(first)}`,
      present > 0 ? `${present} there, ${replicas.length - present} new` : NONE,
      rate(first.capacityRequestsPerSecond * replicas.length),
      `${replicas.reduce((sum, r) => sum + r.usdPerHour, 0).toFixed(2)}`,
      hosts.length <= NAMED_HOSTS ? hosts.join(', ') : `${hosts.slice(0, NAMED_HOSTS).join(', ')} and ${hosts.length - NAMED_HOSTS} more`,
    ];
  });
  const asked = deployments.reduce((sum, d) => sum + d.demand.requestsPerSecond, 0);
  return [
    rows.length > 0
      ? renderTable(['MODEL', 'REPLICAS', 'PRESENT', 'REQ/S', 'USD/H', 'HOSTS'], rows, style)
      : result.unplaced.length > 0
        ? 'nothing can be placed\n'
        : 'nothing needs to be placed\n',
    `\n${result.costUsdPerHour.toFixed(2)} USD/h; ${boundText(result)}\n`,
    result.unmetRequestsPerSecond > 0
      ? `${rate(result.unmetRequestsPerSecond)} of ${rate(asked)} req/s are not served; any plan leaves at least ${rate(result.lowerBoundUnmetRequestsPerSecond)}\n`
      : '',
    ...result.retired.map((r) => {
      const places = (r.pipelineStages ?? [r]).map(({ host, accelerators }) => `${host} [${accelerators.join(' ')}]`);
      return `- ${r.model} off ${places.join(', ')}\n`;
    }),
    ...result.unplaced.map((u) => `${u.model}: ${u.reason}\n`),
  ].join('');
}

/** Requests per second, three digits: `0.123`, `20`, `1830`. */
function rate(perSecond: number): string {
  return String(Number(perSecond.toPrecision(3)));
}

function shapeText({ tensorParallel, acceleratorKind, pipelineStages }: PlanResult['replicas'][number]): string {
  const stages = pipelineStages?.length ?? 1;
  return `${stages > 1 ? `${stages} stages of ` : ''}${tensorParallel} ${acceleratorKind}`;
}

function boundText({ lowerBoundUsdPerHour, gap }: PlanResult): string {
  if (gap === null) return 'what the least would be is not known: pipelines across hosts have no bound';
  return `no plan costs less than ${lowerBoundUsdPerHour.toFixed(2)} (at most ${(gap * 100).toFixed(2)} % more than the least)`;
}
