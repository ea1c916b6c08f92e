import { Plans } from '../sections/Plans.tsx';
import { PlanDiff } from '../sections/placement/PlanDiff.tsx';

export function PlacementPage() {
  return (
    <>
      <PlanDiff />
      <Plans />
    </>
  );
}
