/** Live figures for `uellm top`, the terminal table and the dashboard: totals since the start, and what the last 60 s were like. */
import type { ObservationOutcome } from './record.ts';

const WINDOW_SECONDS = 60;
/** Classes come from clients: beyond so many series they are counted together. */
const MAX_SERIES = 1000;
const OTHER_CLASS = 'other';

export interface Ended {
  deployment: string;
  class: string;
  outcome: ObservationOutcome;
  /** null where the client cancelled. */
  attained: boolean | null;
  outputTokens: number;
}

export interface ClassStats {
  class: string;
  /** Since the gateway started. */
  requests: number;
  ok: number;
  failed: number;
  shed: number;
  cancelled: number;
  /** Over the last 60 s, of the requests that ended in them. */
  lastMinute: {
    requestsPerSecond: number;
    outputTokensPerSecond: number;
    /** Share that met every target of its SLO, 0 to 1; null where none counts. */
    attainment: number | null;
  };
}

interface Second {
  at: number;
  requests: number;
  counted: number;
  attained: number;
  outputTokens: number;
}

class Series {
  readonly totals = { requests: 0, ok: 0, failed: 0, shed: 0, cancelled: 0 };
  readonly #ring: Second[] = [];

  add({ outcome, attained, outputTokens }: Ended, second: number): void {
    this.totals.requests += 1;
    this.totals[outcome] += 1;
    const at = second % WINDOW_SECONDS;
    let slot = this.#ring[at];
    if (slot?.at !== second) {
      slot = { at: second, requests: 0, counted: 0, attained: 0, outputTokens: 0 };
      this.#ring[at] = slot;
    }
    slot.requests += 1;
    slot.outputTokens += outputTokens;
    if (attained === null) return;
    slot.counted += 1;
    if (attained) slot.attained += 1;
  }

  lastMinute(second: number): ClassStats['lastMinute'] {
    let [requests, counted, attained, outputTokens] = [0, 0, 0, 0];
    for (const slot of this.#ring) {
      if (!slot || slot.at <= second - WINDOW_SECONDS) continue;
      requests += slot.requests;
      counted += slot.counted;
      attained += slot.attained;
      outputTokens += slot.outputTokens;
    }
    return {
      requestsPerSecond: requests / WINDOW_SECONDS,
      outputTokensPerSecond: outputTokens / WINDOW_SECONDS,
      attainment: counted === 0 ? null : attained / counted,
    };
  }
}

export class Stats {
  readonly #deployments = new Map<string, Map<string, Series>>();
  #series = 0;

  add(ended: Ended, nowMs: number): void {
    this.#of(ended).add(ended, Math.floor(nowMs / 1000));
  }

  /** The classes of a deployment, by name. */
  classes(deployment: string, nowMs: number): ClassStats[] {
    const second = Math.floor(nowMs / 1000);
    const classes = [...(this.#deployments.get(deployment) ?? [])];
    return classes
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, series]) => ({ class: name, ...series.totals, lastMinute: series.lastMinute(second) }));
  }

  #of(ended: Ended): Series {
    let classes = this.#deployments.get(ended.deployment);
    if (!classes) {
      classes = new Map();
      this.#deployments.set(ended.deployment, classes);
    }
    const name = classes.has(ended.class) || this.#series < MAX_SERIES ? ended.class : OTHER_CLASS;
    let series = classes.get(name);
    if (!series) {
      series = new Series();
      classes.set(name, series);
      this.#series += 1;
    }
    return series;
  }
}
