/** Ctrl-C: the first one ends everything in order, another one hurries. */

/** A terminal sends its interrupt to the whole process group, and npm forwards it once more: within this time it is the same one. */
const SAME_INTERRUPT_MS = 1000;

export interface Interrupts {
  /** Aborted by the first interrupt. */
  end: AbortSignal;
  /** Aborted by another one, later. */
  hurry: AbortSignal;
}

export function listenForInterrupts(signals: NodeJS.EventEmitter = process, now: () => number = Date.now): Interrupts {
  const end = new AbortController();
  const hurry = new AbortController();
  let first: number | undefined;
  const onSignal = () => {
    if (first === undefined) {
      first = now();
      end.abort();
    } else if (now() - first > SAME_INTERRUPT_MS) {
      hurry.abort();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) signals.on(signal, onSignal);
  return { end: end.signal, hurry: hurry.signal };
}
