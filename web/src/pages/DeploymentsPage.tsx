import { Attainment } from '../sections/Attainment.tsx';
import { Deployments } from '../sections/Deployments.tsx';
import { Diagnosis } from '../sections/Diagnosis.tsx';
import { Pilot } from '../sections/Pilot.tsx';

export function DeploymentsPage() {
  return (
    <>
      <div class="columns">
        <Deployments />
        <Attainment />
      </div>
      <Diagnosis />
      <Pilot />
    </>
  );
}
