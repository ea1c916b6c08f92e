import { Keys } from '../sections/access/Keys.tsx';

/** Who may reach this installation. */
export function AccessPage() {
  return <Keys />;
}
