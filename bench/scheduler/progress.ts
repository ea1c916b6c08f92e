/** How far it is, on stderr. */

/** A line every so often where nobody redraws it. */
const EVERY_MS = 30_000;

export interface Progress {
  done(what: string): void;
  end(): void;
}

/** @param total tasks that are yet to be run */
export function createProgress(total: number, { out = process.stderr, nowMs = () => performance.now() } = {}): Progress {
  const startedMs = nowMs();
  let ended = 0;
  let toldMs = startedMs;
  return {
    done(what) {
      ended++;
      const elapsedMs = nowMs() - startedMs;
      const left = duration(((total - ended) * elapsedMs) / ended);
      const text = `${ended}/${total} searches, about ${left} left; last: ${what}`;
      if (out.isTTY) out.write(`\r\x1b[2K${text.slice(0, (out.columns ?? 80) - 1)}`);
      else if (nowMs() - toldMs >= EVERY_MS || ended === total) {
        out.write(`${text}\n`);
        toldMs = nowMs();
      }
    },
    end() {
      if (out.isTTY) out.write('\r\x1b[2K');
    },
  };
}

export function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.round(ms / 1000)} s`;
}
