import { useEffect, useReducer } from 'preact/hooks';
import type { Resource, Snapshot } from './resource.ts';

/** The resource as it is now; the component renders again whenever it was read again. */
export function useResource<T>(resource: Resource<T>): Snapshot<T> {
  const [, render] = useReducer<number, void>((n) => n + 1, 0);
  useEffect(() => resource.subscribe(() => render()), [resource]);
  return resource.snapshot;
}
