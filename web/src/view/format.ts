/** Figures as people read them. */

/** `0.0`, `12.3 s`, `4 min 05 s`, `2 h 10 min`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${pad(Math.floor(seconds % 60))} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** How long ago, to the nearest unit that says enough. */
export function ago(then: string | number, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - new Date(then).getTime()) / 1000);
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** A share of 0 to 1. Never rounded up to 100 %: that one request was missed must show. */
export function percent(share: number): string {
  if (share >= 1) return '100 %';
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

/** A target as it was declared: `95 %`, `99.9 %`. */
export function target(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`;
}

export function usdPerHour(usd: number | null): string {
  return usd === null ? 'price unknown' : `$${usd.toFixed(2)}/h`;
}

/** `16.1 GiB`: memory, as an accelerator's tool counts it. */
export function gibibytes(bytes: number): string {
  return `${figures(bytes / 2 ** 30)} GiB`;
}

/** `18.6 GB/s`: bandwidth, as vendors count it. */
export function bandwidth(bytesPerSecond: number): string {
  return `${figures(bytesPerSecond / 1e9)} GB/s`;
}

const figures = (amount: number) => (amount < 100 ? Number(amount.toFixed(1)) : Math.round(amount));

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

function pad(n: number): string {
  return String(n).padStart(2, '0');
}
