/** What a correction says for itself. */
import type { CorrectionResource } from '../../../api/schema/index.ts';
import { percent } from './format.ts';
import type { Tone } from './tones.ts';

const TONES: Record<CorrectionResource['state'], Tone> = { active: 'busy', kept: 'good', undone: 'quiet', failed: 'bad' };

export const correctionTone = (state: CorrectionResource['state']): Tone => TONES[state];

/** Its evidence: the sentence that states it, and its figures as `name value`. */
export function evidenceOf({ evidence }: Pick<CorrectionResource, 'evidence'>): { message: string; figures: string[] } {
  const { message, ...figures } = evidence;
  return {
    message: typeof message === 'string' ? message : '',
    figures: Object.entries(figures).map(
      ([name, value]) => `${spaced(name)} ${typeof value === 'number' ? shortNumber(value) : JSON.stringify(value)}`,
    ),
  };
}

/** Attainment before it and while it was judged: `91.2 % → 97.0 %`; empty where neither was measured. */
export function effectOf({
  attainmentBefore: before,
  attainmentAfter: after,
}: Pick<CorrectionResource, 'attainmentBefore' | 'attainmentAfter'>): string {
  if (before === null && after === null) return '';
  return `${before === null ? '?' : percent(before)} → ${after === null ? '?' : percent(after)}`;
}

/** `measuredRatio` → `measured ratio` */
const spaced = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
const shortNumber = (n: number) => n.toLocaleString('en', { maximumSignificantDigits: 4 });
