import { describe, expect, it } from 'vitest';
import type { HostLiveness } from './fleet.ts';
import { massSilence } from './mass-silence.ts';

/** `a` alive, `s` suspect, `l` lost with replicas, `g` lost and made good, `p` never heard of, `x` external and silent. */
function verdict(fleet: string): 'held' | 'taken as it seems' {
  const liveness: Record<string, HostLiveness> = { a: 'alive', s: 'suspect', l: 'lost', g: 'lost', p: 'pending', x: 'suspect' };
  const hosts = [...fleet].map((letter, i) => ({ name: `h${i}`, liveness: liveness[letter]!, external: letter === 'x', letter }));
  const holding = new Set(hosts.filter((h) => h.letter !== 'g').map((h) => h.name));
  return massSilence(hosts, holding) ? 'held' : 'taken as it seems';
}

describe('hosts silent together', () => {
  it.each(['s', 'sa', 'saa', 'saaa', 'ssaaaaa', 'sssaaaaaaa', 'lgggaaa', 'sppp', 'sxxx'])('%s: each is what it seems', (fleet) =>
    expect(verdict(fleet)).toBe('taken as it seems'),
  );
  it.each(['ss', 'ls', 'ssa', 'lsa', 'ssaaa', 'ssaaaa', 'ssssaaaaaa', 'ssggg'])('%s: it may be us', (fleet) =>
    expect(verdict(fleet)).toBe('held'),
  );

  it('says who, of how many, and how many might be', () => {
    const hosts = ['a', 'b', 'c'].map((name) => ({
      name,
      external: false,
      liveness: name === 'c' ? ('alive' as const) : ('suspect' as const),
    }));
    expect(massSilence(hosts, new Set())).toEqual({ silent: ['a', 'b'], known: 3, allowed: 1 });
  });
});
