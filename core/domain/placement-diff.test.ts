import { describe, expect, it } from 'vitest';
import { type Placed, placementDiff } from './placement-diff.ts';

const placed = (replicaId: string, host: string, accelerators: number[], more: Partial<Placed> = {}): Placed => ({
  ...{ replicaId, host, accelerators, deployment: 'chat', revision: 1, acceleratorKind: 'L4', tensorParallel: accelerators.length },
  ...more,
});
const shown = (before: Placed[], after: Placed[]) =>
  placementDiff(before, after).map((c) => `${c.change} ${c.before?.replicaId ?? '-'} ${c.after?.replicaId ?? '-'}`);

describe('placementDiff', () => {
  it('leaves out what stays', () => {
    expect(shown([placed('a', 'h1', [0])], [placed('a', 'h1', [0])])).toEqual([]);
  });

  it('knows what came and what went', () => {
    expect(shown([placed('a', 'h1', [0])], [placed('a', 'h1', [0]), placed('b', 'h2', [0])])).toEqual(['added - b']);
    expect(shown([placed('a', 'h1', [0]), placed('b', 'h2', [0])], [placed('b', 'h2', [0])])).toEqual(['removed a -']);
  });

  it('pairs what went with what came: of one shape it moved, of another it was resized', () => {
    expect(shown([placed('a', 'h1', [0])], [placed('b', 'h2', [3])])).toEqual(['moved a b']);
    expect(shown([placed('a', 'h1', [0])], [placed('b', 'h1', [0, 1])])).toEqual(['resized a b']);
    expect(shown([placed('a', 'h1', [0])], [placed('b', 'h1', [1], { acceleratorKind: 'T4' })])).toEqual(['resized a b']);
  });

  it('believes the plans of who serves in whose place, by way of those in between', () => {
    const before = [placed('a', 'h1', [0]), placed('b', 'h2', [0])];
    const after = [placed('c', 'h1', [1]), placed('d', 'h3', [0])];
    const successors = new Map([
      ['a', 'x'],
      ['x', 'd'],
      ['round', 'and'],
      ['and', 'round'],
    ]);
    expect(placementDiff(before, after, successors).map((c) => `${c.before?.replicaId} ${c.after?.replicaId}`)).toEqual(['a d', 'b c']);
    expect(placementDiff(before, after, new Map([['a', 'a']]))).toHaveLength(2);
  });

  it('prefers the host where it was, and never pairs across deployments', () => {
    const before = [placed('a', 'h1', [0]), placed('b', 'h2', [0]), placed('x', 'h3', [0], { deployment: 'code' })];
    const after = [placed('c', 'h2', [1]), placed('d', 'h4', [0]), placed('e', 'h4', [1])];
    expect(shown(before, after)).toEqual(['moved b c', 'moved a d', 'added - e', 'removed x -']);
  });
});
