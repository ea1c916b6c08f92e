/** How far a fetch of weights is, and when it is given up: not after so long, but when nothing has advanced for so long. */
import { setTimeout as delay } from 'node:timers/promises';
import { UellmError } from '../../core/domain/errors.ts';
import { GIGA, MS_PER_SECOND } from '../../core/domain/units.ts';

export interface FetchProgress {
  bytes: number;
  totalBytes: number;
  /** Over the last half minute. */
  bytesPerSecond: number;
  /** null while next to nothing moves. */
  secondsLeft: number | null;
}

const RATE_WINDOW_MS = 30_000;
/** A rate that would take longer is that of a fetch which has not got going. */
const LONGEST_GUESS_SECONDS = 30 * 24 * 3600;
const LOOK_EVERY_MS = 1000;
/** What was told to end is waited for so long. */
const SETTLE_MS = 10_000;

/** Bytes at points in time, made into a rate. */
export class ProgressMeter {
  readonly #totalBytes: number;
  #samples: { bytes: number; atMs: number }[] = [];

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  at(bytes: number, atMs: number): FetchProgress {
    this.#samples = [...this.#samples.filter((s) => atMs - s.atMs <= RATE_WINDOW_MS), { bytes, atMs }];
    const first = this.#samples[0]!;
    const seconds = (atMs - first.atMs) / MS_PER_SECOND;
    const bytesPerSecond = seconds > 0 ? Math.max(0, bytes - first.bytes) / seconds : 0;
    const secondsLeft = Math.max(0, this.#totalBytes - bytes) / bytesPerSecond;
    const soon = secondsLeft < LONGEST_GUESS_SECONDS;
    return { bytes, totalBytes: this.#totalBytes, bytesPerSecond, secondsLeft: soon ? secondsLeft : null };
  }
}

export function percentOf({ bytes, totalBytes }: Pick<FetchProgress, 'bytes' | 'totalBytes'>): number {
  return totalBytes > 0 ? Math.min(100, Math.floor((100 * bytes) / totalBytes)) : 100;
}

/** `12.3 of 140.2 GB (8 %), 210 MB/s, 10 min left` */
export function describeProgress(progress: FetchProgress): string {
  const { bytes, totalBytes, bytesPerSecond, secondsLeft } = progress;
  const left = secondsLeft === null ? '' : `, ${describeSeconds(secondsLeft)} left`;
  return `${describeBytes(bytes)} of ${describeBytes(totalBytes)} (${percentOf(progress)} %), ${describeBytes(bytesPerSecond)}/s${left}`;
}

/** Decimal, as storage is sold. */
export function describeBytes(bytes: number): string {
  if (bytes >= GIGA) return `${(bytes / GIGA).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

export function describeSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/**
 * Runs `work` as long as `bytes` grows. What hangs in the system (a share that is away) is left behind: it must do nothing more once its
 * signal has aborted.
 * @throws the signal's reason; unavailable where nothing has advanced for `stallMs`
 */
export async function whileAdvancing<T>(
  work: (signal: AbortSignal) => Promise<T>,
  options: {
    what: string;
    totalBytes: number;
    stallMs: number;
    bytes: () => number | Promise<number>;
    onProgress: (progress: FetchProgress) => void;
    signal: AbortSignal;
  },
): Promise<T> {
  const { what, stallMs, onProgress } = options;
  const ours = new AbortController();
  const signal = AbortSignal.any([options.signal, ours.signal]);
  signal.throwIfAborted();
  const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  const meter = new ProgressMeter(options.totalBytes);
  let most = -1;
  let advancedAtMs = Date.now();
  const look = async () => {
    const bytes = await options.bytes();
    const now = Date.now();
    if (bytes > most) {
      most = bytes;
      advancedAtMs = now;
    }
    onProgress(meter.at(bytes, now));
    if (now - advancedAtMs < stallMs) return;
    ours.abort(
      new UellmError({ kind: 'unavailable', what, reason: `nothing has advanced for ${describeSeconds(stallMs / MS_PER_SECOND)}` }),
    );
  };
  await look();
  const timer = setInterval(() => void look().catch(() => {}), Math.min(LOOK_EVERY_MS, stallMs));
  const running = work(signal);
  try {
    return await Promise.race([running, aborted]);
  } catch (error) {
    const settled = running.then(
      () => undefined,
      () => undefined,
    );
    if (signal.aborted) await Promise.race([settled, delay(SETTLE_MS, undefined, { ref: false })]);
    throw error;
  } finally {
    clearInterval(timer);
    ours.abort(new Error('over'));
    aborted.catch(() => {});
  }
}
