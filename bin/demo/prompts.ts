/** Prompts that say nothing, of any length: ordinary words, about four bytes a token. */
import { createRandom } from '../../core/simulator/random.ts';

const WORDS =
  'the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years where much your way down should because long each just state those people too little world still see own work men day get here between both life being under three never know same last another while us might great go come since against right came take used himself few house use place during high without again home around small however found';

const BYTES_PER_TOKEN = 4;
/** Far enough apart that prompts do not begin alike: an engine's prefix cache should find no more than in real traffic. */
const STRIDE = 7919;

const TEXT = shuffledText();

/** About `tokens` tokens of text; another `number`, another text. */
export function promptOf(tokens: number, number: number): string {
  const bytes = Math.max(1, tokens * BYTES_PER_TOKEN);
  const start = (number * STRIDE) % TEXT.length;
  const first = TEXT.slice(start, start + bytes);
  if (first.length === bytes) return first;
  const rest = bytes - first.length;
  return first + TEXT.repeat(Math.ceil(rest / TEXT.length)).slice(0, rest);
}

/** About 64 KB without long repeats, the same in every run. */
function shuffledText(): string {
  const words = WORDS.split(' ');
  const random = createRandom('prompts');
  let text = '';
  while (text.length < 64 * 1024) text += `${words[Math.floor(random() * words.length)]} `;
  return text;
}
