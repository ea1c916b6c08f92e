/**
 * What the profiler keeps of a prompt: numbers that describe it, and in which buckets the keyed hashes of its words and word pairs fall. The
 * text itself is not kept, and cannot be had back: a bucket holds hundreds of words and pairs, and which ones only the key tells. Looks at a bounded
 * window of the prompt, so that a long document takes no longer than a page.
 */
import { CUES, OPENING_CUES, OPENING_WORDS } from './cues.ts';
import { type HashKey, halfSipHash, hashPair } from './half-siphash.ts';

/** A power of two. */
export const WORD_BUCKETS = 16_384;
/** Of one sketch; a window of prose has about 400. */
export const MAX_BUCKETS = 512;

/** Characters that are looked at: the beginning says what is asked for, and so does the end where a document lies between. */
export const LOOKED_AT_HEAD = 1024;
export const LOOKED_AT_TAIL = 512;
const WINDOW = LOOKED_AT_HEAD + LOOKED_AT_TAIL;

/** The parts of a request that a sketch is made from. */
export interface PromptParts {
  /** What is asked for: the last message of the user, or the prompt of a completion. */
  prompt: string;
  /** Its length, where `prompt` has only what is looked at of it. */
  promptCharacters?: number;
  /** The system prompt or template; '' for none. */
  system: string;
  /** Messages of the user before this one. */
  turn: number;
  /** Mean length of the answers given earlier in this conversation, characters; 0 where there are none. */
  earlierAnswerCharacters: number;
  /** null where the request leaves it to the engine. */
  temperature: number | null;
  /** May the model call tools? */
  tools: boolean;
}

/** Numbers of a sketch, by their place. Counts are ln(1 + n), over the window. */
const NUMBER_NAMES = [
  'characters',
  'words',
  'questionMarks',
  'newlines',
  'quotes',
  'colons',
  'commas',
  'digits',
  'meanWordCharacters',
  'capitalsShare',
  'code',
  'endsWithQuestion',
  'largestSmallNumber',
  'sentences',
  'turn',
  'earlierAnswerCharacters',
  'temperature',
  'tools',
  'system',
] as const;
export const NUMBERS = NUMBER_NAMES.length;
/** A cue is 1 where the prompt has the word, else 0; then the same for its opening. */
export const DENSE_FEATURES = NUMBERS + CUES.length + OPENING_CUES;
const FIRST_CUE = NUMBERS;
const FIRST_OPENING_CUE = FIRST_CUE + CUES.length;

export interface TextSketch {
  /** Which key hashed it: buckets of another key mean nothing beside these. */
  keyId: string;
  /** `DENSE_FEATURES` numbers. */
  dense: Float32Array;
  /** Buckets that at least one word or pair of words falls into: each once, in no order, below `WORD_BUCKETS`. */
  buckets: Uint16Array;
}

/** A hash key, and a name for it that does not give it away. */
export interface SketchKey extends HashKey {
  id: string;
}

/** Sketches one request after the other; what it returns is the caller's to keep. */
export interface Sketcher {
  sketch(parts: PromptParts): TextSketch;
}

const SPACE = 0;
const WORD = 1;
/** A sign, or a letter of a script without spaces between words: stands for itself. */
const SINGLE = 2;

/** Kind of each 16-bit code unit. */
const KINDS = Uint8Array.from({ length: 0x10000 }, (_, unit) => kindOf(unit));
/** ASCII capitals to small letters, all else as it is. */
const lower = (unit: number): number => (unit >= 65 && unit <= 90 ? unit + 32 : unit);

function kindOf(unit: number): number {
  if (unit < 0x80) {
    const isWord = (unit >= 48 && unit <= 57) || (unit >= 65 && unit <= 90) || (unit >= 97 && unit <= 122);
    return isWord ? WORD : unit <= 32 || unit === 127 ? SPACE : SINGLE;
  }
  if (unit === 0xa0 || (unit >= 0x2000 && unit <= 0x200f) || unit === 0x2028 || unit === 0x2029 || unit === 0x3000) return SPACE;
  const isPunctuation = unit <= 0xbf || (unit >= 0x2010 && unit <= 0x2bff) || (unit >= 0x3001 && unit <= 0x303f) || unit >= 0xff00;
  const isOneWordEach = unit >= 0x3040 && unit <= 0x9fff;
  return isPunctuation || isOneWordEach ? SINGLE : WORD;
}

const NEWLINE = 10;
const DOUBLE_QUOTE = 34;
const APOSTROPHE = 39;
const OPENING_PARENTHESIS = 40;
const CLOSING_PARENTHESIS = 41;
const COMMA = 44;
const COLON = 58;
const QUESTION_MARK = 63;
const BACKTICK = 96;
const OPENING_BRACE = 123;
const isSentenceEnd = (unit: number) => unit === 46 || unit === 33 || unit === QUESTION_MARK || unit === 0x3002;
const isDigit = (unit: number) => unit >= 48 && unit <= 57;
const isCapital = (unit: number) => unit >= 65 && unit <= 90;

/** A numeral above this says nothing of how much is asked for: a year, an amount. */
const LARGEST_SMALL_NUMBER = 30;

export function createSketcher({ id: keyId, ...key }: SketchKey): Sketcher {
  const units = new Uint16Array(WINDOW);
  const bytes = Buffer.from(units.buffer);
  const hashOfText = (text: string) => halfSipHash(units, 0, windowOf(text, bytes), key);
  const cues = cueTable(CUES.map(hashOfText));
  /** 1 for those of `found`. */
  const seen = new Uint8Array(WORD_BUCKETS);
  const found = new Uint16Array(MAX_BUCKETS);
  let count = 0;

  const add = (hash: number) => {
    const bucket = hash & (WORD_BUCKETS - 1);
    if (seen[bucket] === 1 || count === MAX_BUCKETS) return;
    seen[bucket] = 1;
    found[count++] = bucket;
  };

  return {
    sketch({ prompt, promptCharacters, system, turn, earlierAnswerCharacters, temperature, tools }) {
      const dense = new Float32Array(DENSE_FEATURES);
      if (system !== '') add(hashPair(hashOfText(system), 0x73797374));

      const length = windowOf(prompt, bytes);
      // One by one: as fields of an object they would be written to memory at each character.
      let words = 0;
      let questions = 0;
      let newlines = 0;
      let quotes = 0;
      let colons = 0;
      let commas = 0;
      let digits = 0;
      let capitals = 0;
      let sentences = 0;
      let wordCharacters = 0;
      let tokens = 0;
      let previous = 0;
      let largest = 0;
      let isCode = false;
      for (let i = 0; i < length; ) {
        const kind = KINDS[units[i]!]!;
        if (kind === SPACE) {
          if (units[i] === NEWLINE) newlines++;
          i++;
          continue;
        }
        const from = i;
        let numeral = 0;
        if (kind === SINGLE) {
          const unit = units[i++]!;
          const next = i < length ? units[i]! : 32;
          if (unit === QUESTION_MARK) questions++;
          else if (unit === DOUBLE_QUOTE) quotes++;
          else if (unit === COLON) colons++;
          else if (unit === COMMA) commas++;
          if (isSentenceEnd(unit) && KINDS[next] === SPACE) sentences++;
          if (unit === OPENING_BRACE || unit === BACKTICK || (unit === OPENING_PARENTHESIS && next === CLOSING_PARENTHESIS)) isCode = true;
        } else {
          for (; i < length; i++) {
            const unit = units[i]!;
            if (KINDS[unit] !== WORD && !(unit === APOSTROPHE && i + 1 < length && KINDS[units[i + 1]!] === WORD)) break;
            if (isDigit(unit)) {
              digits++;
              numeral = numeral * 10 + unit - 48;
            } else {
              if (isCapital(unit)) capitals++;
              numeral = Number.POSITIVE_INFINITY;
            }
            units[i] = lower(unit);
          }
          words++;
          wordCharacters += i - from;
          if (numeral <= LARGEST_SMALL_NUMBER && numeral > largest) largest = numeral;
        }
        const hash = halfSipHash(units, from, i, key);
        add(hash);
        if (tokens > 0) add(hashPair(previous, hash));
        if (tokens < 2) add(hashPair(hash, tokens + 1));
        if (kind === WORD) {
          const cue = cues.find(hash);
          if (cue !== -1) {
            dense[FIRST_CUE + cue] = 1;
            if (words <= OPENING_WORDS && cue < OPENING_CUES) dense[FIRST_OPENING_CUE + cue] = 1;
          }
        }
        previous = hash;
        tokens++;
      }
      const numbers: Record<(typeof NUMBER_NAMES)[number], number> = {
        characters: Math.log1p(promptCharacters ?? prompt.length),
        words: Math.log1p(words),
        questionMarks: Math.min(5, questions),
        newlines: Math.log1p(newlines),
        quotes: Math.log1p(quotes),
        colons: Math.log1p(colons),
        commas: Math.log1p(commas),
        digits: Math.log1p(digits),
        meanWordCharacters: words > 0 ? wordCharacters / words : 0,
        capitalsShare: length > 0 ? capitals / length : 0,
        code: isCode ? 1 : 0,
        endsWithQuestion: endsWithQuestion(units, length) ? 1 : 0,
        largestSmallNumber: Math.log1p(largest),
        sentences: Math.log1p(sentences),
        turn: Math.log1p(Math.max(0, turn)),
        earlierAnswerCharacters: Math.log1p(Math.max(0, earlierAnswerCharacters)),
        temperature: Math.min(2, Math.max(0, temperature ?? 1)),
        tools: tools ? 1 : 0,
        system: system === '' ? 0 : 1,
      };
      for (let i = 0; i < NUMBERS; i++) dense[i] = numbers[NUMBER_NAMES[i]!];
      const buckets = found.slice(0, count);
      for (let i = 0; i < count; i++) seen[buckets[i]!] = 0;
      count = 0;
      return { keyId, dense, buckets };
    },
  };
}

/** Which cue a hash is of; -1 for none. A table of numbers: each word is looked up, and of a Map's keys each would be an object. */
function cueTable(hashes: readonly number[]): { find(hash: number): number } {
  const mask = 4 * 2 ** Math.ceil(Math.log2(hashes.length)) - 1;
  const keys = new Uint32Array(mask + 1);
  const cues = new Int16Array(mask + 1).fill(-1);
  hashes.forEach((hash, cue) => {
    let at = hash & mask;
    while (cues[at] !== -1) at = (at + 1) & mask;
    keys[at] = hash;
    cues[at] = cue;
  });
  return {
    find(hash) {
      let at = hash & mask;
      while (cues[at] !== -1 && keys[at] !== hash) at = (at + 1) & mask;
      return cues[at]!;
    },
  };
}

/** Copies the window of a text into `bytes`. @returns how many UTF-16 units it is */
function windowOf(text: string, bytes: Buffer): number {
  if (text.length <= WINDOW) return bytes.write(text, 'utf16le') >> 1;
  const head = bytes.write(text.slice(0, LOOKED_AT_HEAD), 'utf16le');
  return (head + bytes.write(text.slice(-LOOKED_AT_TAIL), head, 'utf16le')) >> 1;
}

function endsWithQuestion(units: Uint16Array, length: number): boolean {
  for (let i = length - 1; i >= 0; i--) if (KINDS[units[i]!] !== SPACE) return units[i] === QUESTION_MARK;
  return false;
}
