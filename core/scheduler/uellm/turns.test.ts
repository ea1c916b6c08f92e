import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../../test/support/scheduling.ts';
import { TenantTurns, type Turn } from './turns.ts';

const request = (tenant: string, tenantWeight = 1, tokens = 100) =>
  queuedRequest({ id: 'r', tenant, tenantWeight, inputTokens: tokens, predictedOutput: { p50: 0, p90: 0 } });

/** Serves so many times whoever's turn it is; all of them always wait. */
function served(tenants: Record<string, { weight?: number; tokens?: number }>, times: number): Record<string, number> {
  const turns = new TenantTurns();
  const all = Object.entries(tenants).map(([tenant, { weight, tokens }]) => {
    const one = request(tenant, weight, tokens);
    return { one, turn: turns.enter(one), tokens: 0 };
  });
  for (let i = 0; i < times; i++) {
    const next = all.reduce((least, other) => (other.turn.tag < least.turn.tag ? other : least));
    turns.serve(next.turn, next.one);
    next.tokens += next.one.inputTokens;
  }
  return Object.fromEntries(all.map(({ one, tokens }) => [one.tenant, tokens]));
}

describe('turns of tenants', () => {
  it('give tokens by weight, whatever the size of their requests', () => {
    expect(served({ a: { weight: 3 }, b: {} }, 400)).toEqual({ a: 30_000, b: 10_000 });
    const { long, short } = served({ long: { tokens: 1000 }, short: { tokens: 10 } }, 1010);
    expect(Math.abs(long! - short!)).toBeLessThanOrEqual(1000);
  });

  it('are not saved up by who was away, nor paid for by who was alone', () => {
    const turns = new TenantTurns();
    const alone = turns.enter(request('alone'));
    for (let i = 0; i < 50; i++) turns.serve(alone, request('alone'));
    const late = turns.enter(request('late'));
    expect(alone.tag - late.tag).toBe(100);
    turns.serve(late, request('late'));
    expect(late.tag).toBe(alone.tag);
  });

  it('are not won by leaving and coming back', () => {
    const turns = new TenantTurns();
    const enter = (tenant: string): Turn => turns.enter(request(tenant));
    enter('patient');
    let jumper = enter('jumper');
    for (let i = 0; i < 10; i++) {
      turns.serve(jumper, request('jumper'));
      turns.leave(jumper);
      jumper = enter('jumper');
    }
    expect(jumper.tag).toBe(1000);
  });

  it('are of one class and priority', () => {
    const turns = new TenantTurns();
    const a = turns.enter(queuedRequest({ id: 'a', tenant: 'a', class: 'chat' }));
    const b = turns.enter(queuedRequest({ id: 'b', tenant: 'b', class: 'batch' }));
    const c = turns.enter(queuedRequest({ id: 'c', tenant: 'c', class: 'chat', priority: -1 }));
    expect(new Set([a.group, b.group, c.group]).size).toBe(3);
    expect(a.group.tenants).toBe(1);
  });

  it('keep no memory of who is gone', () => {
    const turns = new TenantTurns();
    const stays = turns.enter(request('stays'));
    for (let i = 0; i < 1000; i++) turns.leave(turns.enter(request(`t${i}`)));
    expect(stays.group.turns.size).toBe(1);
    for (let i = 0; i < 10_000; i++) {
      const passing = turns.enter(request(`t${i}`));
      turns.serve(passing, request(`t${i}`));
      turns.leave(passing);
      turns.serve(stays, request('stays'));
    }
    expect(stays.group.turns.size).toBeLessThanOrEqual(64);
  });
});
