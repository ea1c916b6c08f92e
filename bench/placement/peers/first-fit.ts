/** Models in the order of the list, replicas one by one: the first host with room, the narrowest shape there that attains the SLO. */
import { isAllowed } from '../../../core/placement/choose.ts';
import { pricePerHour } from '../../../core/placement/cost.ts';
import type { FleetInput } from '../../../core/placement/fleet/problem.ts';
import { type Occupancy, occupancyOf } from '../../../core/placement/occupancy.ts';
import { openShapeBook, type Shape, type ShapeBook, widthsOf } from '../../../core/placement/shapes.ts';
import type { DeploymentDemand } from '../../../core/placement/types.ts';
import { placeOneByOne } from './one-by-one.ts';
import type { Peer } from './peer.ts';

export const firstFit: Peer = (input) => {
  const book = openShapeBook(input);
  const occupancy = occupancyOf(input.hosts, input.replicas);
  return placeOneByOne(input, (deployment) => {
    const found = firstShape(input, book, occupancy, deployment);
    if (!found) return undefined;
    const { host, shape } = found;
    occupancy.hold(host, found.free.slice(0, shape.tensorParallel));
    const usdPerHour = shape.tensorParallel * pricePerHour(input.prices, host, shape.acceleratorKind)!;
    return { usdPerHour, requestsPerSecond: shape.capacity.requestsPerSecond };
  });
};

function firstShape(
  { hosts }: FleetInput,
  book: ShapeBook,
  occupancy: Occupancy,
  deployment: DeploymentDemand,
): { host: string; shape: Shape; free: number[] } | undefined {
  for (const host of hosts) {
    for (const kind of new Set(host.accelerators)) {
      const free = occupancy.free(host, kind);
      if (!isAllowed(deployment, host, kind)) continue;
      for (const width of widthsOf(deployment).filter((w) => w <= free.length)) {
        const shape = book.shape(deployment, host, kind, width);
        if (shape?.capacity.meetsSlo && shape.capacity.requestsPerSecond > 0) return { host: host.name, shape, free };
      }
    }
  }
  return undefined;
}
