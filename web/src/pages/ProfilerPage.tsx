import { Corrections } from '../sections/Corrections.tsx';
import { Profiler } from '../sections/Profiler.tsx';

export function ProfilerPage() {
  return (
    <>
      <Profiler />
      <Corrections />
    </>
  );
}
