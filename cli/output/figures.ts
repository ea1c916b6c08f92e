/** Figures as people write them. */
export const NONE = '-';

export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return value < 10 ? `${value.toFixed(1)} ms` : value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function percent(share: number | null): string {
  return share === null ? NONE : `${Number((share * 100).toFixed(2))} %`;
}

/** How long ago, in the largest unit that says it: `12 s`, `3 min`, `5 h`, `9 d`. */
export function age(time: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function billions(n: number): string {
  return n >= 1e9 ? `${(n / 1e9).toFixed(1)} B` : `${(n / 1e6).toFixed(1)} M`;
}
