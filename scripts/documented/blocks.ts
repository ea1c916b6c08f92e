/**
 * The fenced blocks of a page, each with what the comments right above it say:
 *
 *   <!-- not run: WHY -->                    its commands are run by no test, for this reason
 *   <!-- run by: TEST.ts [TEST.ts] (WHAT) -->  its commands are run by these tests
 *   <!-- file: NAME -->                      the block is this file, for the commands of all pages
 *
 * A shell block that says neither of the first two is run by `documented.test.ts`.
 */
export interface Block {
  /** File and line, for people. */
  at: string;
  language: string;
  text: string;
  notRun: string | undefined;
  runBy: string[];
  file: string | undefined;
}

const SHELLS = ['sh', 'bash', 'console', 'shell'];
export const isShell = ({ language }: Block) => SHELLS.includes(language);

export function blocksOf(page: string, markdown: string): Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const [, indent, fence, language] = /^( *)(`{3,})(\w*)/.exec(lines[i]!) ?? [];
    if (fence === undefined) continue;
    const end = lines.findIndex((line, j) => j > i && line.trim() === fence);
    if (end < 0) throw new Error(`${page}:${i + 1}: a block that never ends`);
    const text = lines.slice(i + 1, end).map((line) => line.slice(indent!.length));
    blocks.push({
      at: `${page}:${i + 1}`,
      language: language!,
      text: (language === 'console' ? text.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2)) : text).join('\n'),
      ...saidAbove(lines, i),
    });
    i = end;
  }
  return blocks;
}

function saidAbove(lines: readonly string[], fence: number): Pick<Block, 'notRun' | 'runBy' | 'file'> {
  const said = new Map<string, string>();
  for (let i = fence - 1; i >= 0; i--) {
    const [, key, value] = /^ *<!-- (not run|run by|file): (.+) -->$/.exec(lines[i]!) ?? [];
    if (key === undefined) break;
    said.set(key, value!);
  }
  const runBy = said.get('run by')?.replace(/\(.*\)$/, '');
  return { notRun: said.get('not run'), runBy: runBy?.trim().split(/\s+/) ?? [], file: said.get('file') };
}
