import { expect, it } from 'vitest';
import type { HostResource } from '../api/schema/index.ts';
import { VIEWS } from './views.ts';

it('hosts: the reason for its state, what its tools find instead of what was declared, and what they complain of', () => {
  const host = (inventory: object | null | undefined, reason = '') =>
    ({
      ...{ name: 'h1', accelerators: [{ kind: 'H100-SXM', count: 8 }], links: [], simulated: false },
      status: { liveness: 'alive', service: 'schedulable', reason, replicas: 0, accelerators: { total: 8, claimed: 0 }, inventory },
    }) as unknown as HostResource;
  const note = (of: HostResource) => VIEWS.hosts.row(of, 0).at(-1);
  const difference = 'declared 8 H100-SXM, found 7; nothing is placed on accelerator 7';
  expect(note(host({ difference, problems: [] }))).toBe(difference);
  const problems = [{ tool: 'nvidia-smi', kind: 'failed', message: 'no driver' }];
  expect(note(host({ difference: null, problems }, 'cordoned by ada'))).toBe('cordoned by ada; nvidia-smi: no driver');
  expect([note(host(null)), note(host(undefined, 'an older API'))]).toEqual(['', 'an older API']);
});
