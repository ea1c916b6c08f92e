/** Which resource a replica's requests wait for now, and what says so in figures. */
import type { SloTargets } from '../../domain/slo-policy.ts';
import { describeShape, perSecond } from '../wording.ts';
import { type StepTerms, TIME_RESOURCES, type TimeResource } from './step-terms.ts';
import type { TimeUse } from './time-use.ts';
import type { ObservedReplica, Resource } from './types.ts';

/** A cache this full soon evicts. */
const KV_FULL = 0.9;
/** Of the admission limit. */
const QUEUE_FULL = 0.95;
/** Of the time: below it nothing is scarce. */
const IDLE_BUSY = 0.1;

export interface Binding {
  utilisation: Record<Resource, number>;
  binds: Resource | 'idle';
  why: string;
}

/** @param kvUsage as the engine says, else as reckoned */
export function bindingNow(replica: ObservedReplica, use: TimeUse, kvUsage: number, targets: SloTargets | null): Binding {
  const shares = resourceShares(use.terms);
  const utilisation: Record<Resource, number> = {
    compute: use.busy * shares.compute,
    bandwidth: use.busy * shares.bandwidth,
    link: use.busy * shares.link,
    host: use.busy * shares.host,
    'kv-cache': Math.min(1, kvUsage),
    queue: Math.min(1, replica.inFlight / replica.admissionLimit),
  };
  const cache = `KV cache ${percent(utilisation['kv-cache'])} full`;
  const inLine = replica.waiting > 0 ? `, ${replica.waiting} wait in the engine` : '';
  const open = `${replica.inFlight} of ${replica.admissionLimit} requests admitted${inLine}`;
  if (utilisation['kv-cache'] >= KV_FULL || replica.preemptions > 0) {
    const evicted = replica.preemptions > 0 ? `, ${replica.preemptions} evicted from it lately` : '';
    return { utilisation, binds: 'kv-cache', why: `${cache}${evicted}; ${open}` };
  }
  // Steps that are too slow already are what binds, however many are in.
  if (utilisation.queue >= QUEUE_FULL && use.decodeStepMs <= (targets?.tpotMs ?? Number.POSITIVE_INFINITY)) {
    return {
      utilisation,
      binds: 'queue',
      why: `${open}, and room for more: ${cache}, steps of ${ms(use.decodeStepMs)}`,
    };
  }
  if (use.busy < IDLE_BUSY)
    return { utilisation, binds: 'idle', why: replica.demand ? `busy ${percent(use.busy)} of the time` : 'nothing came' };
  const binds = largest(shares);
  return { utilisation, binds, why: `${percent(shares[binds])} of step time: ${whatFor(binds, replica, use)}` };
}

function resourceShares(terms: StepTerms): Record<TimeResource, number> {
  const share = (resource: TimeResource) => TIME_RESOURCES[resource].reduce((sum, term) => sum + terms[term], 0);
  return { compute: share('compute'), bandwidth: share('bandwidth'), link: share('link'), host: share('host') };
}

function whatFor(resource: TimeResource, replica: ObservedReplica, { terms, batch, decodeStepMs, prefillStepMs }: TimeUse): string {
  const { demand } = replica;
  const step = `${ms(decodeStepMs)} at batch ${Math.round(batch)}`;
  switch (resource) {
    case 'compute': {
      const prompts = demand ? `, prompts of ${Math.round(demand.inputTokens)} tokens at ${perSecond(demand.requestsPerSecond)}` : '';
      return `operations${prompts}; ${ms(prefillStepMs)} with a prompt`;
    }
    case 'bandwidth':
      return `reading, weights ${percent(terms.weights)} and KV cache ${percent(terms.kvRead)}; ${step}`;
    case 'link':
      return `all-reduces of ${describeShape(replica)}; ${step}`;
    case 'host':
      return `scheduling and launching kernels; ${step}`;
  }
}

/** The key of the largest value; the first of those that are equal. */
export function largest<K extends string>(shares: Readonly<Record<K, number>>): K {
  return (Object.keys(shares) as K[]).reduce((most, key) => (shares[key] > shares[most] ? key : most));
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
