import type { HostResource, ReplicaResource } from '../../../api/schema/index.ts';
import { post } from '../client/http.ts';
import { ActionButton } from '../parts/ActionButton.tsx';
import { Pill, SimulatedBadge } from '../parts/Pill.tsx';
import { Section } from '../parts/Section.tsx';
import { deployments, hosts, replicas } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { blocksOf, describeAccelerators, linkTexts, notesOf, seriesOf } from '../view/fleet-map.ts';
import { count } from '../view/format.ts';
import { hostState } from '../view/tones.ts';
import { Block } from './Block.tsx';

/** Every host with its accelerators, and which replica sits where. */
export function Fleet() {
  const fleet = useResource(hosts);
  const { value: placed } = useResource(replicas);
  const { value: deployed } = useResource(deployments);
  const series = seriesOf((deployed ?? []).map((d) => d.name));
  const total = (fleet.value ?? []).reduce((sum, h) => sum + h.status.accelerators.total, 0);
  const used = (fleet.value ?? []).reduce((sum, h) => sum + h.status.accelerators.claimed, 0);
  return (
    <Section
      id="fleet"
      title="Fleet"
      of={fleet}
      note={total > 0 && `${used} of ${count(total, 'accelerator')} in use`}
      empty={
        <>
          No hosts yet. Declare one with <code>uellm apply -f FILE</code>.
        </>
      }
    >
      {(items) => (
        <>
          <Legend />
          <ul class="hosts">
            {items.map((host) => (
              <li key={host.name}>
                <HostCard host={host} replicas={placed ?? []} series={series} />
              </li>
            ))}
          </ul>
        </>
      )}
    </Section>
  );
}

/** What the bars and lines of the map are. */
function Legend() {
  return (
    <p class="legend quiet">
      Memory: <i class="memory-weights" aria-hidden="true" /> weights <i class="memory-used" aria-hidden="true" /> KV cache in use{' '}
      <i class="memory-cache" aria-hidden="true" /> KV cache set aside. Lines are links: <i class="link link-fast" aria-hidden="true" />{' '}
      fabric <i class="link link-slow" aria-hidden="true" /> slow
    </p>
  );
}

function Links({ of }: { of: HostResource }) {
  const { accelerators, hosts: between } = linkTexts(of);
  return (
    <p class="quiet links">
      {accelerators && <>Links: {accelerators} · </>}to other hosts: {between}
    </p>
  );
}

function HostCard({ host, replicas, series }: { host: HostResource; replicas: ReplicaResource[]; series: (d: string) => number }) {
  const { label, tone } = hostState(host);
  const inService = host.status.service === 'schedulable';
  return (
    <article class={`card host host-${label}`} aria-label={`Host ${host.name}, ${label}`}>
      <header class="host-head">
        <h3>{host.name}</h3>
        <Pill tone={tone}>{label}</Pill>
        {host.simulated && <SimulatedBadge />}
      </header>
      <p class="quiet">{describeAccelerators(host)}</p>
      {!host.external && (
        <ol class="blocks" aria-label={`Accelerators of ${host.name}`}>
          {blocksOf(host, replicas).map((block) => (
            <Block key={block.first} host={host} block={block} series={series} />
          ))}
        </ol>
      )}
      {!host.external && <Links of={host} />}
      {host.external && (
        <ul class="endpoints">
          {host.external.endpoints.map((endpoint) => (
            <li key={endpoint.url}>
              {endpoint.model} <span class="quiet">{endpoint.url}</span>
            </li>
          ))}
        </ul>
      )}
      {notesOf(host).map((note) => (
        <p key={note} class="reason">
          {note}
        </p>
      ))}
      {!host.external && (
        <footer class="row row-end">
          {inService ? (
            <ActionButton
              label="Drain"
              of={host.name}
              done={`Drain of ${host.name} accepted`}
              action={() => post(`/api/v1/hosts/${host.name}/drain`)}
              confirm={{
                title: `Drain ${host.name}?`,
                text: `It takes no new work from now on. Its ${count(host.status.replicas, 'replica')} leave once others serve in their place; no request is dropped.`,
              }}
            />
          ) : (
            <ActionButton
              label="Uncordon"
              of={host.name}
              done={`${host.name} takes work again`}
              action={() => post(`/api/v1/hosts/${host.name}/uncordon`)}
            />
          )}
        </footer>
      )}
    </article>
  );
}
