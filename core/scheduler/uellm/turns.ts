/**
 * Whose turn it is, among tenants of one class whose requests wait. Each has a tag that rises by the tokens it is served, divided by its
 * weight; who has the lowest goes next. One that begins to wait starts at the tag that was served last: nobody saves up, and nobody pays
 * for what it had while others did not want it. Source: start-time fair queueing, Goyal et al. (1996); by tokens, Sheng et al., "Fairness
 * in Serving Large Language Models" (2024).
 */
import { PassingMap } from '../passing-map.ts';
import type { QueuedRequest } from '../types.ts';

export interface Turn {
  readonly group: TurnGroup;
  readonly tenant: string;
  /** Tokens by weight. */
  tag: number;
  waiting: number;
  /** Of them, those that are not demoted. */
  urgent: number;
}

/** Tenants of one class and priority. */
export interface TurnGroup {
  readonly key: string;
  readonly turns: Map<string, Turn>;
  /** Tenants that have requests waiting. */
  tenants: number;
  /** Tag that was served last. */
  tag: number;
  /** At so many turns those are looked for that say nothing any more. */
  sweepAt: number;
}

const SWEEP_AT = 64;

export class TenantTurns {
  readonly #groups = new PassingMap<string, TurnGroup>();

  /** A request begins to wait. */
  enter({ class: name, priority, tenant }: QueuedRequest): Turn {
    const key = `${priority} ${name}`;
    let group = this.#groups.get(key);
    if (!group) {
      group = { key, turns: new Map(), tenants: 0, tag: 0, sweepAt: SWEEP_AT };
      this.#groups.set(key, group);
    }
    let turn = group.turns.get(tenant);
    if (!turn) {
      turn = { group, tenant, tag: group.tag, waiting: 0, urgent: 0 };
      group.turns.set(tenant, turn);
    }
    if (turn.waiting === 0) {
      group.tenants += 1;
      turn.tag = Math.max(turn.tag, group.tag);
    }
    turn.waiting += 1;
    return turn;
  }

  /** A request no longer waits. */
  leave(turn: Turn): void {
    const { group } = turn;
    turn.waiting -= 1;
    if (turn.waiting > 0) return;
    group.tenants -= 1;
    // Where nobody waits, all begin anew.
    if (group.tenants === 0) this.#groups.delete(group.key);
    else if (turn.tag <= group.tag) group.turns.delete(turn.tenant);
    else if (group.turns.size >= group.sweepAt) sweep(group);
  }

  /** A request is served. Call it before it leaves. */
  serve(turn: Turn, { inputTokens, predictedOutput, tenantWeight }: QueuedRequest): void {
    turn.group.tag = Math.max(turn.group.tag, turn.tag);
    turn.tag += (inputTokens + predictedOutput.p50) / tenantWeight;
  }
}

/** Who does not wait and has been caught up with would begin anew anyhow. */
function sweep(group: TurnGroup): void {
  for (const { tenant, waiting, tag } of group.turns.values()) if (waiting === 0 && tag <= group.tag) group.turns.delete(tenant);
  group.sweepAt = Math.max(SWEEP_AT, 2 * group.turns.size);
}
