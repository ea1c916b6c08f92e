/** Who is compared, by the names that the table has. */
import { firstFit } from './first-fit.ts';
import { helr, helrWithTensorParallelism } from './helr.ts';
import type { Peer } from './peer.ts';
import { singleKind, singleKindUnlimited } from './single-kind.ts';
import { cheapestPerRequest, withoutMilp, withoutPipelines } from './without-milp.ts';

export interface NamedPeer {
  name: string;
  plan: Peer;
  /** Does it choose among the planner's own shapes on the fleet as it is? Then it cannot cost less than the planner's lower bound. */
  bounded: boolean;
}

export const PEERS: readonly NamedPeer[] = [
  { name: 'best single kind', plan: singleKind, bounded: true },
  { name: 'best single kind, were there enough', plan: singleKindUnlimited, bounded: false },
  { name: 'first fit', plan: firstFit, bounded: true },
  { name: 'HELR, stages of one', plan: helr, bounded: false },
  { name: 'HELR, stages of 1 to 8', plan: helrWithTensorParallelism, bounded: false },
  { name: 'cheapest per request', plan: cheapestPerRequest, bounded: true },
  { name: 'without the MILP', plan: withoutMilp, bounded: true },
  { name: 'without pipelines', plan: withoutPipelines, bounded: true },
];
