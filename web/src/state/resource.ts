/** Something the API holds, as last read. Components subscribe; whoever learns of a change asks for a refresh. */

export interface Snapshot<T> {
  /** null before the first answer. */
  readonly value: T | null;
  /** Why the last read failed; the value before stays. */
  readonly error: Error | null;
}

export interface Resource<T> {
  readonly snapshot: Snapshot<T>;
  subscribe(listener: () => void): () => void;
  /** Reads again. Asked for while a read is under way, it reads once more after it: the answer under way may be older than the change. */
  refresh(): Promise<void>;
}

export function createResource<T>(load: () => Promise<T>): Resource<T> {
  const listeners = new Set<() => void>();
  let snapshot: Snapshot<T> = { value: null, error: null };
  let running: Promise<void> | null = null;
  let again = false;

  const read = async () => {
    do {
      again = false;
      snapshot = await load().then(
        (value): Snapshot<T> => ({ value, error: null }),
        (error: Error): Snapshot<T> => ({ value: snapshot.value, error }),
      );
      for (const listener of listeners) listener();
    } while (again);
    running = null;
  };

  return {
    get snapshot() {
      return snapshot;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    refresh() {
      if (running) again = true;
      running ??= read();
      return running;
    },
  };
}
