/** No accelerator is booked twice: neither in what the database says, nor by the processes on the hosts. */

export interface Booking {
  replicaId: string;
  host: string;
  accelerators: readonly number[];
}

export interface Claim {
  host: string;
  accelerator: number;
  replicaId: string;
}

/** @param replicas the living ones */
export function doubleBookings(replicas: readonly Booking[], claims: readonly Claim[]): string[] {
  const unclaimed = replicas.flatMap(({ replicaId, host, accelerators }) =>
    accelerators
      .filter((accelerator) => !claims.some((c) => c.host === host && c.accelerator === accelerator && c.replicaId === replicaId))
      .map((accelerator) => `${replicaId} lives on ${host}/${accelerator} without holding it`),
  );
  const ownerless = claims
    .filter((c) => !replicas.some((r) => r.replicaId === c.replicaId))
    .map((c) => `${c.host}/${c.accelerator} is held by ${c.replicaId}, which lives no more`);
  return [...sharedAccelerators(replicas), ...unclaimed, ...ownerless];
}

/** @param bookings rows, or engine processes: those of one replica may share */
export function sharedAccelerators(bookings: readonly Booking[]): string[] {
  const holders = new Map<string, Set<string>>();
  for (const { host, accelerators, replicaId } of bookings) {
    for (const accelerator of accelerators) {
      const place = `${host}/${accelerator}`;
      holders.set(place, (holders.get(place) ?? new Set()).add(replicaId));
    }
  }
  return [...holders].filter(([, ids]) => ids.size > 1).map(([place, ids]) => `${place} is used by ${[...ids].join(' and ')} at once`);
}
