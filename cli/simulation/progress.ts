/**
 * A bar on a person's terminal while runs are simulated. A simulation lets nothing else happen, so the bar is drawn from within it, by
 * writes that are synchronous on a terminal. The cursor rests on the line below: Ctrl-C, which nobody catches, leaves whole lines behind.
 */
import { performance } from 'node:perf_hooks';
import type { Terminal } from '../terminal.ts';

export interface SimulationProgress {
  /** A run of so many requests begins. */
  begin(label: string, requests: number): void;
  /** So many of them have ended. */
  ended(requests: number): void;
  clear(): void;
}

const REDRAW_MS = 100;
const BAR_WIDTH = 20;
const ERASE = '\u001b[1A\u001b[0J';

/** @param runs how many there will be; null where nobody knows: a search. @param now ms */
export function createSimulationProgress(terminal: Terminal, runs: number | null, now = () => performance.now()): SimulationProgress {
  const columns = terminal.errColumns();
  if (columns === null) return { begin: () => undefined, ended: () => undefined, clear: () => undefined };
  const run = { number: 0, label: '', requests: 0, startedMs: 0 };
  let drawnMs = Number.NEGATIVE_INFINITY;
  let drawn = false;
  const draw = (ended: number) => {
    const nowMs = now();
    if (nowMs - drawnMs < REDRAW_MS) return;
    drawnMs = nowMs;
    terminal.err(`${drawn ? ERASE : ''}${lineOf(run, ended, nowMs, runs).slice(0, columns - 1)}\n`);
    drawn = true;
  };
  return {
    begin(label, requests) {
      Object.assign(run, { number: run.number + 1, label, requests, startedMs: now() });
      draw(0);
    },
    ended: draw,
    clear() {
      if (drawn) terminal.err(ERASE);
      drawn = false;
    },
  };
}

function lineOf(
  run: { number: number; label: string; requests: number; startedMs: number },
  ended: number,
  nowMs: number,
  runs: number | null,
): string {
  const share = Math.min(1, ended / run.requests);
  const filled = Math.floor(share * BAR_WIDTH);
  const seconds = (nowMs - run.startedMs) / 1000;
  const perSecond = ended / seconds;
  const parts = [run.label, `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${Math.floor(share * 100)} %`];
  if (ended > 0 && seconds > 0) {
    const left = run.requests - ended + (runs === null ? 0 : (runs - run.number) * run.requests);
    parts.push(`${Math.round(perSecond).toLocaleString('en-US')} requests/s`, `${timeText(left / perSecond)} left`);
  }
  parts.push(runs === null ? `run ${run.number} of a search` : `run ${run.number} of ${runs}`);
  return parts.join('  ');
}

function timeText(seconds: number): string {
  return seconds < 100 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
