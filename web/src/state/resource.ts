/** Something the API holds, as last read. Components subscribe; whoever learns of a change announces it. */

export interface Snapshot<T> {
  /** null before the first answer. */
  readonly value: T | null;
  /** Why the last read failed; the value before stays. */
  readonly error: Error | null;
}

/** What can be told that it may be out of date. Where nobody looks, nothing is read. */
export interface Announced {
  announce(): void;
}

export interface Resource<T> extends Announced {
  readonly snapshot: Snapshot<T>;
  /** The first that looks has it read. */
  subscribe(listener: () => void): () => void;
  /** Reads again. Asked for while a read is under way, it reads once more after it: the answer under way may be older than the change. */
  refresh(): Promise<void>;
}

/** Those that somebody looks at. */
const watched = new Set<Announced>();

/** Anything may have changed. */
export function announceAll(): void {
  for (const resource of watched) resource.announce();
}

/** @param spacingMs changes that are announced sooner after a read than this are read together, once it has passed */
export function createResource<T>(load: () => Promise<T>, { spacingMs = 0 } = {}): Resource<T> {
  const listeners = new Set<() => void>();
  let snapshot: Snapshot<T> = { value: null, error: null };
  let running: Promise<void> | null = null;
  let again = false;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let later: ReturnType<typeof setTimeout> | undefined;

  const read = async () => {
    do {
      again = false;
      clearTimeout(later);
      later = undefined;
      readAtMs = performance.now();
      snapshot = await load().then(
        (value): Snapshot<T> => ({ value, error: null }),
        (error: Error): Snapshot<T> => ({ value: snapshot.value, error }),
      );
      for (const listener of listeners) listener();
    } while (again);
    running = null;
  };

  const resource: Resource<T> = {
    get snapshot() {
      return snapshot;
    },
    subscribe(listener) {
      listeners.add(listener);
      watched.add(resource);
      if (listeners.size === 1) void resource.refresh();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) watched.delete(resource);
      };
    },
    refresh() {
      if (running) again = true;
      running ??= read();
      return running;
    },
    announce() {
      if (!watched.has(resource)) return;
      const waitMs = readAtMs + spacingMs - performance.now();
      if (waitMs <= 0) void resource.refresh();
      // Timers take whole milliseconds and may be early: what is then not due yet waits for another.
      else
        later ??= setTimeout(() => {
          later = undefined;
          resource.announce();
        }, Math.ceil(waitMs));
    },
  };
  return resource;
}

/** Resources of one kind, one for each question that was asked. */
export interface ResourceFamily<T> extends Announced {
  of(key: string): Resource<T>;
}

/** @param spacingMs as above, for all or for each question */
export function createFamily<T>(
  load: (key: string) => Promise<T>,
  { spacingMs = 0 }: { spacingMs?: number | ((key: string) => number) } = {},
): ResourceFamily<T> {
  const members = new Map<string, Resource<T>>();
  return {
    of(key) {
      let member = members.get(key);
      if (!member) {
        member = createResource(() => load(key), { spacingMs: typeof spacingMs === 'number' ? spacingMs : spacingMs(key) });
        members.set(key, member);
      }
      return member;
    },
    announce() {
      for (const member of members.values()) member.announce();
    },
  };
}
