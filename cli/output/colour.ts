/** Colours by meaning, for terminals that show them. */
export type Tone = 'good' | 'busy' | 'bad' | 'dim' | 'bold';

const CODES: Record<Tone, string> = { good: '32', busy: '33', bad: '31', dim: '2', bold: '1' };

export function paint(text: string, tone: Tone | undefined, colour: boolean): string {
  return colour && tone ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text;
}

/** Cuts a painted line to so many characters that are seen. */
export function cutPainted(text: string, width: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: codes begin with one
  const parts = text.split(/(\u001b\[\d+m)/);
  const length = parts.reduce((sum, part, i) => sum + (i % 2 === 0 ? part.length : 0), 0);
  if (length <= width) return text;
  let room = width - 1;
  const cut = parts.map((part, i) => {
    if (i % 2 === 1) return part;
    const kept = part.slice(0, room);
    room -= kept.length;
    return kept;
  });
  return `${cut.join('')}…`;
}

const GOOD = ['ready', 'alive', 'succeeded', 'done', 'applied', 'drained', 'ok', 'completed', 'created', 'kept'];
const BAD = ['failed', 'lost', 'blocked', 'refused', 'rolled-back', 'unroutable', 'unreachable', 'deleted'];
const QUIET = ['stopped', 'pending', 'skipped', 'waiting', 'dry-run', 'cancelled', 'unchanged', 'undone', 'superseded'];

/** What a state means: all that is neither good, bad nor over is on its way. */
export function toneOf(state: string): Tone {
  if (GOOD.includes(state)) return 'good';
  if (BAD.includes(state)) return 'bad';
  return QUIET.includes(state) ? 'dim' : 'busy';
}
