import type { DeploymentResource, RolloutResource } from '../../../api/schema/index.ts';
import { post } from '../client/http.ts';
import { ActionButton } from '../parts/ActionButton.tsx';
import { Pill, SimulatedBadge } from '../parts/Pill.tsx';
import { Section } from '../parts/Section.tsx';
import { deployments, rollouts } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { seriesOf } from '../view/fleet-map.ts';
import { Rollout } from './Rollout.tsx';

/** What people want served, and how its newest rollout goes. */
export function Deployments() {
  const all = useResource(deployments);
  const { value: known } = useResource(rollouts);
  const series = seriesOf((all.value ?? []).map((d) => d.name));
  return (
    <Section
      id="deployments"
      title="Deployments"
      of={all}
      empty={
        <>
          Nothing is deployed. Declare it with <code>uellm apply -f FILE</code>, then <code>uellm deploy NAME</code>.
        </>
      }
    >
      {(items) => (
        <ul class="stack">
          {items.map((deployment) => (
            <li key={deployment.name}>
              <DeploymentCard
                deployment={deployment}
                series={series(deployment.name)}
                rollout={known?.find((r) => r.id === deployment.status.rollout?.id)}
              />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

interface DeploymentCardProps {
  deployment: DeploymentResource;
  series: number;
  rollout: RolloutResource | undefined;
}

function DeploymentCard({ deployment, series, rollout }: DeploymentCardProps) {
  const { name, model, engine, mode, replicas, status } = deployment;
  const running = rollout !== undefined && rollout.endedAt === null;
  return (
    <article class="card deployment">
      <header class="card-head">
        <span class={`swatch series-${series}`} aria-hidden="true" />
        <h3>{name}</h3>
        <Pill tone={status.replicas.ready >= Math.max(1, replicas.min) ? 'good' : 'warn'}>
          {`${status.replicas.ready} of ${status.replicas.living} ready`}
        </Pill>
        {mode !== 'auto' && <Pill tone="warn">{mode}</Pill>}
        {engine.kind === 'simulated' && <SimulatedBadge />}
        {!running && (
          <span class="push">
            <ActionButton
              label={status.latestRevision === null ? 'Deploy' : 'Roll out'}
              of={name}
              done={`Rollout of ${name} started`}
              action={() => post(`/api/v1/deployments/${name}/rollouts`, {})}
              tone={status.pendingChange ? 'primary' : 'plain'}
            />
          </span>
        )}
      </header>
      <dl class="facts">
        <Fact name="Model">{model}</Fact>
        <Fact name="Engine">{engine.kind}</Fact>
        <Fact name="Replicas">{`${replicas.min} to ${replicas.max}`}</Fact>
        <Fact name="Serves">{status.currentRevision === null ? 'nothing yet' : `revision ${status.currentRevision}`}</Fact>
      </dl>
      {status.pendingChange && status.latestRevision !== null && (
        <p class="reason">Changed since its newest revision: not rolled out yet.</p>
      )}
      {rollout && <Rollout rollout={rollout} />}
    </article>
  );
}

function Fact({ name, children }: { name: string; children: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
