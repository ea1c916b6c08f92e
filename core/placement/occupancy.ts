/** Which accelerators are held, or not there at all. What a plan retires keeps its accelerators until it has really gone. */
import type { HostState } from '../domain/fleet.ts';
import { holdsAccelerators, type Replica } from '../domain/replica.ts';

export interface Occupancy {
  isFree(host: string, accelerator: number): boolean;
  /** Indexes of the free accelerators of one kind, lowest first. */
  free(host: HostState, kind: string): number[];
  hold(host: string, accelerators: readonly number[]): void;
  /** Takes a placement back that was not to be. */
  release(host: string, accelerators: readonly number[]): void;
}

export function occupancyOf(hosts: readonly HostState[], replicas: readonly Replica[]): Occupancy {
  const held = new Map(hosts.map((h) => [h.name, new Set(h.absent)] as const));
  const occupancy: Occupancy = {
    isFree: (host, accelerator) => !held.get(host)?.has(accelerator),
    free: (host, kind) => host.accelerators.flatMap((k, index) => (k === kind && occupancy.isFree(host.name, index) ? [index] : [])),
    hold: (host, accelerators) => {
      for (const index of accelerators) held.get(host)?.add(index);
    },
    release: (host, accelerators) => {
      for (const index of accelerators) held.get(host)?.delete(index);
    },
  };
  for (const replica of replicas) {
    if (holdsAccelerators(replica.state)) occupancy.hold(replica.host, replica.accelerators);
  }
  return occupancy;
}
