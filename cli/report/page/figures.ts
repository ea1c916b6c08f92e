/** Figures as axes and legends say them; nothing where there is none. */

export function percentText(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined ? '' : `${(share * 100).toFixed(digits)} %`;
}

/** At most three digits, in the unit that needs no leading zeros. */
export function durationText(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '';
  return ms < 1000 ? `${Number(ms.toPrecision(3))} ms` : `${Number((ms / 1000).toPrecision(3)).toLocaleString('en-US')} s`;
}

/** @param short `12k` instead of `12,345`, where there is no room */
export function tokensText(tokens: number | undefined, short: boolean): string {
  if (tokens === undefined) return '';
  return short && tokens >= 1000 ? `${Number((tokens / 1000).toPrecision(2))}k` : tokens.toLocaleString('en-US');
}
