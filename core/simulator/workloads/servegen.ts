/**
 * A service's requests as ServeGen describes them: each client a renewal process of its own, with the rate, the burstiness and the lengths
 * of the hour. A few large clients make most of the load and all of its bursts, which a single process for the whole service would miss.
 */
import { createRandom, type Random } from '../random.ts';
import type { TraceRequest } from '../traces/rows.ts';
import { invalid, type LengthWindow, lengthWindows, type RateWindow, rateWindows, type ServeGenFiles } from './servegen-client.ts';

export type { ServeGenFiles } from './servegen-client.ts';

export interface ServeGenOptions {
  seed: number | string;
  /** Since the start of the files' day; arrivals count from here. */
  startSeconds: number;
  durationSeconds: number;
}

/**
 * By arrival. The same seed gives each client the same requests, whichever others come with it.
 * @throws invalid-input when a file cannot be read, the time lies outside of the files' windows, or a client has a rate but no lengths
 */
export function servegenWorkload(clients: readonly ServeGenFiles[], options: ServeGenOptions): TraceRequest[] {
  return clients.flatMap((files) => clientRequests(files, options)).sort((a, b) => a.arrivalMs - b.arrivalMs);
}

function clientRequests(files: ServeGenFiles, { seed, startSeconds, durationSeconds }: ServeGenOptions): TraceRequest[] {
  const windows = rateWindows(files);
  const from = windows[0]?.startSeconds ?? 0;
  const to = windows.at(-1)?.endSeconds ?? 0;
  const endSeconds = startSeconds + durationSeconds;
  if (!(durationSeconds > 0 && startSeconds >= from && endSeconds <= to))
    throw invalid(files.name, 'time', `${startSeconds} s to ${endSeconds} s`, `a time within its windows, ${from} s to ${to} s`);

  const lengths = createRandom(`${seed}:${files.name}:lengths`);
  let byWindow: LengthWindow[] | undefined;
  return arrivals(windows, createRandom(`${seed}:${files.name}:arrivals`), startSeconds, endSeconds).map(({ seconds, window }) => {
    byWindow ??= lengthWindows(files);
    const drawn = lengthsAt(byWindow, window.startSeconds);
    if (!drawn) throw invalid(files.name, 'dataset', 'no window with lengths', 'input_tokens and output_tokens where the trace has a rate');
    return {
      arrivalMs: (seconds - startSeconds) * 1000,
      inputTokens: drawn.drawInput(lengths),
      outputTokens: drawn.drawOutput(lengths),
    };
  });
}

/** A gap that outlasts its window goes on in the next at that one's rate; while the rate is 0 it stands still. */
function arrivals(windows: readonly RateWindow[], random: Random, startSeconds: number, endSeconds: number) {
  const found: { seconds: number; window: RateWindow }[] = [];
  /** To the next arrival, in mean gaps. */
  let due: number | undefined;
  for (const window of windows) {
    const { requestsPerSecond, gaps } = window;
    let seconds = Math.max(startSeconds, window.startSeconds);
    const until = Math.min(endSeconds, window.endSeconds);
    if (requestsPerSecond === 0 || until <= seconds) continue;
    due ??= gaps.drawFirst(random);
    while (seconds + due / requestsPerSecond < until) {
      seconds += due / requestsPerSecond;
      found.push({ seconds, window });
      due = gaps.draw(random);
    }
    due -= (until - seconds) * requestsPerSecond;
  }
  return found;
}

/** Those of the window that the time lies in; where it has none, the last before it, else the first after it. @param windows in order */
function lengthsAt(windows: readonly LengthWindow[], seconds: number): LengthWindow | undefined {
  return windows.findLast((window) => window.startSeconds <= seconds) ?? windows[0];
}
