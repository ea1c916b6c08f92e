import { Drains } from '../sections/Drains.tsx';
import { Fleet } from '../sections/Fleet.tsx';
import { Replicas } from '../sections/Replicas.tsx';

export function FleetPage() {
  return (
    <>
      <Fleet />
      <Drains />
      <Replicas />
    </>
  );
}
