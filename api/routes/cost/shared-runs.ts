/**
 * Runs that whoever asks the same shares. An answer is never older than its question: who asks during a run gets the one after it, together with
 * all who ask until that begins. However many ask, one run at a time is under way for them.
 */
export function createSharedRuns<T>(): (key: string, run: () => Promise<T>) => Promise<T> {
  const lines = new Map<string, { running: Promise<T>; next?: Promise<T> }>();

  function start(key: string, run: () => Promise<T>): Promise<T> {
    const running = run();
    const line = { running };
    lines.set(key, line);
    const leave = () => lines.get(key) === line && !('next' in line) && lines.delete(key);
    running.then(leave, leave);
    return running;
  }

  return (key, run) => {
    const line = lines.get(key);
    if (!line) return start(key, run);
    line.next ??= line.running.then(
      () => start(key, run),
      () => start(key, run),
    );
    return line.next;
  };
}
