/**
 * The dashboard: one page over the admin API, live by its event stream. `client/` speaks HTTP, `state/` holds what was read, `view/`
 * is pure (and tested), `parts/` are small pieces, `sections/` the page from top to bottom. Of the rest of uellm only types are known.
 */
import { ApiError } from './client/http.ts';
import { KeyForm } from './parts/KeyForm.tsx';
import { NoticeBar } from './parts/NoticeBar.tsx';
import { Attainment } from './sections/Attainment.tsx';
import { Corrections } from './sections/Corrections.tsx';
import { Cost } from './sections/Cost.tsx';
import { Deployments } from './sections/Deployments.tsx';
import { Drains } from './sections/Drains.tsx';
import { Fleet } from './sections/Fleet.tsx';
import { Header } from './sections/Header.tsx';
import { Plans } from './sections/Plans.tsx';
import { Profiler } from './sections/Profiler.tsx';
import { Replicas } from './sections/Replicas.tsx';
import { info } from './state/cluster.ts';
import { useResource } from './state/use-resource.ts';

export function App() {
  const { error } = useResource(info);
  const locked = error instanceof ApiError && [401, 429].includes(error.problem.status);
  return (
    <>
      <a class="skip" href="#fleet">
        Skip to the fleet
      </a>
      <Header />
      <main>{locked ? <KeyForm problem={error.message} /> : <Page />}</main>
      <NoticeBar />
    </>
  );
}

function Page() {
  return (
    <>
      <Fleet />
      <div class="columns">
        <Deployments />
        <div>
          <Attainment />
          <Drains />
          <Plans />
        </div>
      </div>
      <Replicas />
      <Cost />
      <Profiler />
      <Corrections />
    </>
  );
}
