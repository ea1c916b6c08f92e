import { UellmError } from '../../domain/errors.ts';
import type { TraceRequest } from '../traces/rows.ts';

/**
 * The same requests, arriving `rateScale` times as fast. Prefix blocks are shared with `requests`, not copied.
 * @throws invalid-input unless `rateScale` is above 0
 */
export function scaleRate(requests: readonly TraceRequest[], rateScale: number): TraceRequest[] {
  if (rateScale > 0 && Number.isFinite(rateScale)) return requests.map((r) => ({ ...r, arrivalMs: r.arrivalMs / rateScale }));
  const issues = [{ field: 'rateScale', given: String(rateScale), allowed: 'a number above 0' }];
  throw new UellmError({ kind: 'invalid-input', what: 'workload', issues });
}
