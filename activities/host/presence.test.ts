import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, it } from 'vitest';
import type { HostProbe } from '../../core/domain/host-probe.ts';
import type { EngineHost } from '../../engines/host.ts';
import { createPresenceActivities, type Presence } from './presence.ts';
import { watchProbe } from './probe/watch.ts';

const PROBE: HostProbe = {
  accelerators: [{ index: 0, kind: 'L4', name: 'NVIDIA L4', vendor: 'NVIDIA', memoryBytes: 24e9 }],
  links: [],
  problems: [],
  listed: ['NVIDIA'],
};
const engines = { list: async () => [] } as unknown as EngineHost;

it('reports a probe as soon as there is one, and the next when it differs', async () => {
  let latest: HostProbe | null = null;
  const { reportPresence } = createPresenceActivities({ engines, probed: () => latest });
  const ask = (digest: string) => new MockActivityEnvironment().run(reportPresence, digest) as Promise<Presence>;
  const before = await ask('nothing known');
  expect(before).toEqual({ engines: [], digest: '' });

  const waiting = ask(before.digest);
  latest = PROBE;
  const found = await waiting;
  expect(found).toMatchObject({ engines: [], probe: PROBE });

  const again = ask(found.digest);
  latest = { ...PROBE, accelerators: [] };
  expect((await again).probe).toEqual(latest);
});

it('a probe that breaks leaves the last one, and is made again', async () => {
  let probes = 0;
  const probe = async () => {
    probes += 1;
    if (probes === 2) throw new Error('broken');
    return probes === 1 ? PROBE : { ...PROBE, listed: [] };
  };
  const kept: (HostProbe | null)[] = [];
  const logger = { warn: () => {}, error: () => kept.push(watch.latest()) };
  const watch = watchProbe(logger as never, probe, 5);
  expect(watch.latest()).toBeNull();
  await expect.poll(() => watch.latest()?.listed, { interval: 2 }).toEqual([]);
  watch.stop();
  expect(kept).toEqual([PROBE]);
});
