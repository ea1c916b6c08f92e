import { type DashboardPage, PAGES } from '../pages.ts';
import { SimulatedBadge } from '../parts/Pill.tsx';
import { type Connection, connection, info, type Readiness, readiness } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { count } from '../view/format.ts';
import { health } from '../view/health.ts';

/** @param page the one that is shown */
export function Header({ page }: { page: DashboardPage | undefined }) {
  const { value: about } = useResource(info);
  return (
    <header class="top">
      <div class="top-in">
        <h1>
          <span class="mark" aria-hidden="true" />
          uellm <small>{about?.version}</small>
        </h1>
        {about !== null && about.simulatedHosts > 0 && (
          <p class="note">
            {count(about.simulatedHosts, 'host')} <SimulatedBadge />
          </p>
        )}
        <Health />
        <nav aria-label="Other views">
          {about?.temporalUiUrl && <a href={about.temporalUiUrl}>Temporal</a>}
          <a href="/docs">API</a>
        </nav>
      </div>
      <nav class="pages" aria-label="Pages">
        {PAGES.map(({ path, title }) => (
          <a key={path} href={path} aria-current={path === page?.path ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
    </header>
  );
}

function Health() {
  const { value: ready, error } = useResource<Readiness>(readiness);
  const { value: live } = useResource<Connection>(connection);
  const { tone, label, detail } = health(error ? null : ready, live ?? 'connecting');
  return (
    <p class={`health health-${tone}`} role="status" title={detail}>
      <span class="dot" aria-hidden="true" />
      {label}
    </p>
  );
}
