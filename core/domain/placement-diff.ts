/** How two placements differ: replicas that came, went, moved, or changed their shape. */

/** A replica and where it stands. */
export interface Placed {
  replicaId: string;
  deployment: string;
  revision: number;
  host: string;
  accelerators: number[];
  acceleratorKind: string;
  tensorParallel: number;
}

export interface PlacementChange {
  /** `moved`: as it was, elsewhere or of another revision. `resized`: on other accelerators in kind or number. */
  change: 'added' | 'removed' | 'moved' | 'resized';
  deployment: string;
  before: Placed | null;
  after: Placed | null;
}

/**
 * Replicas of one deployment that went are paired with those that came: first as the plans said, then those of one shape, on the same host if
 * they can be, then the rest as they come.
 * @param successors what was to serve in whose place, by the id of whoever went
 * @returns by deployment; those without a counterpart after the others
 */
export function placementDiff(
  before: readonly Placed[],
  after: readonly Placed[],
  successors: ReadonlyMap<string, string> = new Map(),
): PlacementChange[] {
  const ids = (replicas: readonly Placed[]) => new Set(replicas.map((replica) => replica.replicaId));
  const [were, are] = [ids(before), ids(after)];
  const left = before.filter((b) => !are.has(b.replicaId));
  const came = after.filter((a) => !were.has(a.replicaId));
  const deployments = [...new Set([...left, ...came].map((replica) => replica.deployment))].sort();
  return deployments.flatMap((deployment) => {
    const of = (replicas: Placed[]) => replicas.filter((replica) => replica.deployment === deployment);
    return pairs(deployment, of(left), of(came), successors);
  });
}

function pairs(deployment: string, left: Placed[], came: Placed[], successors: ReadonlyMap<string, string>): PlacementChange[] {
  const changes: PlacementChange[] = [];
  const pair = (matches: (b: Placed, a: Placed) => boolean) => {
    for (const before of [...left]) {
      const after = came.find((a) => matches(before, a));
      if (!after) continue;
      left.splice(left.indexOf(before), 1);
      came.splice(came.indexOf(after), 1);
      changes.push({ change: sameShape(before, after) ? 'moved' : 'resized', deployment, before, after });
    }
  };
  pair((b, a) => follows(successors, b.replicaId, a.replicaId));
  pair((b, a) => sameShape(b, a) && b.host === a.host);
  pair(sameShape);
  pair(() => true);
  return [
    ...changes,
    ...came.map((after): PlacementChange => ({ change: 'added', deployment, before: null, after })),
    ...left.map((before): PlacementChange => ({ change: 'removed', deployment, before, after: null })),
  ];
}

/** By way of those, too, that came and went in between. */
function follows(successors: ReadonlyMap<string, string>, from: string, to: string): boolean {
  let id = successors.get(from);
  for (let steps = 0; id !== undefined && id !== to && steps < successors.size; steps++) id = successors.get(id);
  return id === to;
}

function sameShape(a: Placed, b: Placed): boolean {
  return (
    a.acceleratorKind === b.acceleratorKind && a.accelerators.length === b.accelerators.length && a.tensorParallel === b.tensorParallel
  );
}
