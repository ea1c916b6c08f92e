/** What a plan does to one deployment, in a line. */
import type { DeploymentOutlook, Outlook } from '../../../core/domain/plan.ts';
import { percent, usdPerHour } from './format.ts';

export function outlookText({ deployment, requestsPerSecond, before, after }: DeploymentOutlook): string {
  const change = (of: (outlook: Outlook) => string) => (of(before) === of(after) ? of(after) : `${of(before)} → ${of(after)}`);
  return [
    `${deployment}: ${change((o) => String(o.replicas))} replicas`,
    `room for ${change((o) => o.capacityRequestsPerSecond.toFixed(1))} of ${requestsPerSecond.toFixed(1)} req/s`,
    change((o) => usdPerHour(o.usdPerHour)),
    `predicted attainment ${change((o) => (o.attainment === null ? 'unknown' : percent(o.attainment)))}`,
  ].join(', ');
}
