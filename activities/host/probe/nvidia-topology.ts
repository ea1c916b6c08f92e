/** `nvidia-smi topo -m`: a matrix of GPUs and network cards. Its header is underlined on terminals, and not only there. */
import { type LinkPair, linesOf } from './reading.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminal sequences begin with
const TERMINAL_SEQUENCES = /\u001b\[[0-9;]*m/g;
const GPU = /^GPU(\d+)$/;

/** Pairs in the order of the matrix; those whose cell is no link are left out. */
export function parseNvidiaTopology(text: string): LinkPair[] {
  const rows = linesOf(text.replace(TERMINAL_SEQUENCES, '')).map((line) => line.split(/\s+/));
  const header = rows.find(([first = '', second]) => GPU.test(first) && !isCell(second));
  if (!header) return [];
  // GPUs come before network cards and before the words of the other columns, of which `GPU NUMA ID` is one.
  const columns = header.map((name) => GPU.exec(name)?.[1]).filter((index) => index !== undefined);
  return rows.flatMap(([name = '', ...cells]) => {
    const row = GPU.exec(name)?.[1];
    if (row === undefined || !isCell(cells[0])) return [];
    return columns.flatMap((column, i): LinkPair[] => {
      const kind = kindOf(cells[i]);
      return kind && Number(row) < Number(column) ? [{ kind, pair: [Number(row), Number(column)] }] : [];
    });
  });
}

const isCell = (text: string | undefined) => text === 'X' || kindOf(text) !== null;

function kindOf(cell = ''): LinkPair['kind'] | null {
  if (/^NV\d+$/.test(cell)) return 'nvlink';
  return /^(PIX|PXB|PHB|NODE|SYS)$/.test(cell) ? 'pcie' : null;
}
