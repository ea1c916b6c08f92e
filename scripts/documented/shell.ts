/** Just enough of a shell's grammar to find the commands of a script: words, quotes, comments, operators, redirections, `$(...)`. */

/** The simple commands of a script, also those within `$(...)`, each as its words. What is redirected where is left out. */
export function commandsOf(script: string): string[][] {
  const found: string[][] = [];
  let words: string[] = [];
  let word: string | null = null;
  let at = 0;
  const endWord = () => {
    if (word !== null) words.push(word);
    word = null;
  };
  const endCommand = () => {
    endWord();
    const command = withoutRedirections(words);
    if (command.length > 0) found.push(command);
    words = [];
  };
  while (at < script.length) {
    const c = script[at]!;
    if (c === '\\') {
      if (script[at + 1] !== '\n') word = (word ?? '') + (script[at + 1] ?? '');
      at += 2;
    } else if (c === "'") {
      const end = closing(script, at, "'");
      word = (word ?? '') + script.slice(at + 1, end);
      at = end + 1;
    } else if (c === '"') {
      const end = closing(script, at, '"');
      const quoted = script.slice(at + 1, end);
      found.push(...substituted(quoted));
      word = (word ?? '') + quoted;
      at = end + 1;
    } else if (script.startsWith('$(', at)) {
      const end = closing(script, at + 1, ')');
      found.push(...commandsOf(script.slice(at + 2, end)));
      word = `${word ?? ''}$(...)`;
      at = end + 1;
    } else if (c === '#' && word === null) {
      while (at < script.length && script[at] !== '\n') at++;
    } else if ('\n;|&'.includes(c)) {
      endCommand();
      at++;
    } else if (c === ' ' || c === '\t') {
      endWord();
      at++;
    } else if (c === '>' || c === '<') {
      if (word !== null && !/^\d$/.test(word)) endWord();
      word = null;
      words.push(script[at + 1] === c ? c + c : c);
      at += script[at + 1] === c ? 2 : 1;
    } else {
      word = (word ?? '') + c;
      at++;
    }
  }
  endCommand();
  return found;
}

function substituted(text: string): string[][] {
  const start = text.indexOf('$(');
  return start < 0 ? [] : commandsOf(text.slice(start + 2, closing(text, start + 1, ')')));
}

function withoutRedirections(words: readonly string[]): string[] {
  return words.filter((word, i) => !/^(<<?|>>?)$/.test(word) && !/^(<<?|>>?)$/.test(words[i - 1] ?? ''));
}

/** @throws Error where what was opened is never closed */
function closing(script: string, from: number, mark: string): number {
  const end = script.indexOf(mark, from + 1);
  if (end < 0) throw new Error(`${mark} is missing after: ${script.slice(from, from + 40)}`);
  return end;
}
