/** /api/v1/hosts */
import { isDeepStrictEqual } from 'node:util';
import { findAcceleratorKind } from '../../../core/domain/accelerators.ts';
import type { DrainReceipt } from '../../../core/domain/drain.ts';
import { conflict, UellmError } from '../../../core/domain/errors.ts';
import { expandAccelerators, type HostSpec, hostLivenessSchema, hostServiceSchema } from '../../../core/domain/fleet.ts';
import { compareInventory } from '../../../core/domain/inventory.ts';
import { type Link, linkBetween, SLOW_LINK_BYTES_PER_SECOND } from '../../../core/domain/links.ts';
import type { Executor } from '../../../db/client.ts';
import {
  deleteHost,
  type HostRow,
  type HostUse,
  insertHost,
  listHosts,
  livingReplicaIds,
  lockHost,
  readHost,
  updateHost,
} from '../../../db/queries/hosts.ts';
import type { ApiDependencies } from '../../context.ts';
import { hostInputSchema, hostResourceSchema } from '../../schema/hosts.ts';
import type { HostResource } from '../../schema/index.ts';
import { declaredRoutes } from '../declared.ts';
import { syncExternalReplicas } from './external.ts';

const filters = { service: hostServiceSchema.optional(), liveness: hostLivenessSchema.optional() };

export function hostRoutes(dependencies: ApiDependencies) {
  return declaredRoutes<HostSpec, HostRow & HostUse, typeof filters>(dependencies, {
    path: 'hosts',
    what: 'host',
    title: 'Host',
    input: hostInputSchema,
    resource: hostResourceSchema,
    filters,
    list: (db, page, _, where) => listHosts(db, page, where),
    read: readHost,
    lock: (tx, name) => lockHost(tx, name, 'update'),
    async create(tx, spec) {
      await insertHost(tx, spec);
      await syncExternalReplicas(tx, spec);
    },
    async replace(tx, spec, before) {
      await checkReplaceable(tx, spec, before);
      await updateHost(tx, spec);
      await syncExternalReplicas(tx, spec);
    },
    async remove(tx, spec) {
      const { name, external } = spec;
      if (external) await syncExternalReplicas(tx, { ...spec, external: undefined });
      const { liveness } = await readHost(tx, name);
      if (liveness === 'alive') throw conflict('host', name, "its worker is alive: stop 'uellm host' there first");
      await refuseWithReplicas(tx, name);
      await deleteHost(tx, name);
    },
    present: presentHost,
  });
}

/** What its replicas stand on does not change beneath them. */
async function checkReplaceable(tx: Executor, spec: HostSpec, before: HostSpec): Promise<void> {
  if ((spec.external === undefined) !== (before.external === undefined)) {
    const allowed = before.external ? 'present, as the host is external' : 'absent, as the host is not external';
    const issue = {
      field: 'external',
      given: JSON.stringify(spec.external) ?? 'nothing',
      allowed: `${allowed}; delete the host to change that`,
    };
    throw new UellmError({ kind: 'invalid-input', what: `Host '${spec.name}'`, issues: [issue] });
  }
  const sameAccelerators = isDeepStrictEqual(expandAccelerators(spec.accelerators), expandAccelerators(before.accelerators));
  if (!spec.external && (!sameAccelerators || spec.simulated !== before.simulated)) await refuseWithReplicas(tx, spec.name);
}

async function refuseWithReplicas(tx: Executor, name: string): Promise<void> {
  const living = await livingReplicaIds(tx, name);
  if (living.length > 0) throw conflict('host', name, `has living replicas ${living.join(', ')}: drain it first`);
}

export function presentHost(row: HostRow & HostUse): HostResource {
  const { spec, version, liveness, service, reason, replicas, claimed } = row;
  return {
    ...spec,
    status: {
      version,
      createdAt: row.createdAt.toISOString(),
      updatedAt: row.updatedAt.toISOString(),
      liveness,
      service,
      reason,
      lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
      replicas,
      accelerators: { total: expandAccelerators(spec.accelerators).length, claimed, memoryBytes: memoryOf(row) },
      links: linksOf(spec),
      inventory: inventoryOf(row),
      lastDrain: row.drain as DrainReceipt | null,
    },
  };
}

function memoryOf({ spec, probe }: HostRow): (number | null)[] {
  const found = spec.simulated || spec.external ? [] : (probe?.accelerators ?? []);
  return expandAccelerators(spec.accelerators).map(
    (kind, index) => found.find((a) => a.index === index)?.memoryBytes ?? findAcceleratorKind(kind)?.memoryBytes ?? null,
  );
}

function linksOf({ name, links, accelerators }: HostSpec): HostResource['status']['links'] {
  // A host outlives the catalog that it was declared with: what has left that is as a card of no fabric.
  const ends = expandAccelerators(accelerators).map((kind) => ({
    host: name,
    links,
    accelerator: findAcceleratorKind(kind) ?? UNKNOWN_KIND,
  }));
  const others = ends.slice(1).map((end) => linkBetween(ends[0]!, end));
  const slowest = others.sort((a, b) => a.bandwidthBytesPerSecond - b.bandwidthBytesPerSecond)[0];
  const present = (link: Link) => ({ ...link, slow: link.bandwidthBytesPerSecond < SLOW_LINK_BYTES_PER_SECOND });
  return { accelerators: slowest ? present(slowest) : null, hosts: present(linkBetween(ends[0]!, { ...ends[0]!, host: '' })) };
}

const UNKNOWN_KIND = { id: '', linkBandwidthBytesPerSecond: null };

function inventoryOf({ spec, probe }: HostRow): HostResource['status']['inventory'] {
  if (!probe || spec.simulated || spec.external) return null;
  const { accelerators, links, problems } = probe;
  const { difference, absent } = compareInventory(spec, probe);
  return { accelerators, links, problems, difference, absent };
}
