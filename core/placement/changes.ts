/** What a plan changes, deployment by deployment: the replicas before and after. */
import { holdsAccelerators } from '../domain/replica.ts';
import { type Draft, unitOf } from './draft.ts';
import { compareText } from './rank.ts';
import type { DeploymentChange, ServingShape } from './types.ts';

export function changesOf(draft: Draft): DeploymentChange[] {
  const gone = new Set(draft.moves.flatMap((m) => (m.kind === 'retire' ? [m.replicaId] : (m.replaces ?? []))));
  return draft.input.deployments.flatMap((deployment) => {
    const { name } = deployment.spec;
    const moves = draft.moves.filter((m) => m.deployment === name);
    if (moves.length === 0) return [];
    const there = draft.input.replicas
      .filter((r) => r.deployment === name && holdsAccelerators(r.state))
      .sort((a, b) => compareText(a.id, b.id));
    const placed = moves.flatMap((m) => (m.kind === 'place' ? [draft.placed.get(m.replicaId)!] : []));
    const before = there.map((r) => ({ id: r.id, ...serving(unitOf(draft, deployment, r)) }));
    const stays = before.filter((r) => !gone.has(r.id));
    const withoutId = (list: typeof before) => list.map(({ id: _, ...shape }) => shape);
    return [{ deployment, before: withoutId(before), after: [...withoutId(stays), ...placed.map(serving)] }];
  });
}

function serving({ shape, usdPerHour }: ServingShape): ServingShape {
  return { shape, usdPerHour };
}
