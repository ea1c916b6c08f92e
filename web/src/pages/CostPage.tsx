import { Cost } from '../sections/Cost.tsx';

export function CostPage() {
  return <Cost />;
}
