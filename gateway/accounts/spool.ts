/**
 * Observations on disk while Postgres is away: JSON lines in files. A file that is appended to ends in `.open` and is never read; it is
 * renamed before it is delivered, and removed once all of it is. A crash in between delivers a file twice, which changes nothing.
 *
 * Gateways may share a folder: each names its files after its own run, and takes over what a dead one left. An `.open` file is touched as
 * long as its gateway lives.
 */
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Observation, observationSchema } from '../../core/domain/observation.ts';

const ROWS_PER_FILE = 2000;
const FILE = /^observations-(?:[0-9a-f]{8}-)?\d{10}\.jsonl(\.open)?$/;
const OPEN = '.open';

export interface SpoolOptions {
  maxRows?: number;
  /** An `.open` file that was not touched for so long is a dead gateway's. */
  deadAfterMs?: number;
}

export interface SpooledFile {
  rows: Observation[];
  /** Lines that are no observations: cut off by a crash. */
  unreadable: number;
}

export class Spool {
  readonly #directory: string;
  readonly #run = randomBytes(4).toString('hex');
  readonly #maxFiles: number;
  readonly #deadAfterMs: number;
  /** Names of files that are not appended to any more, oldest first. */
  #closed: string[] = [];
  /** `torn`: it may end in the middle of a line. */
  #open: { name: string; rows: number; torn: boolean } | null = null;
  #sequence = 0;
  #lookedAtMs = 0;
  /** Files that cannot be read or removed: left where they are until the next start. */
  readonly #setAside = new Set<string>();

  constructor(directory: string, { maxRows = 500_000, deadAfterMs = 60_000 }: SpoolOptions = {}) {
    this.#directory = directory;
    this.#maxFiles = Math.max(1, Math.ceil(maxRows / ROWS_PER_FILE));
    this.#deadAfterMs = deadAfterMs;
  }

  /** Finds what an earlier run left. @throws where the folder cannot be had */
  async load(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    await this.#takeOver(() => true);
  }

  get empty(): boolean {
    return this.files === 0;
  }

  /** Files on disk that are this gateway's to deliver. */
  get files(): number {
    return this.#closed.length + (this.#open ? 1 : 0);
  }

  /** Says that this gateway lives, and now and then looks for what dead ones left. Never rejects. */
  async tend(): Promise<void> {
    const nowMs = Date.now();
    if (Math.abs(nowMs - this.#lookedAtMs) < this.#deadAfterMs / 4) return;
    this.#lookedAtMs = nowMs;
    const now = new Date(nowMs);
    if (this.#open) await utimes(this.#path(this.#open.name), now, now).catch(() => undefined);
    await this.#takeOver((idleMs) => idleMs > this.#deadAfterMs).catch(() => undefined);
  }

  /**
   * Appends rows. Beyond the bound the oldest file goes.
   * @returns how many rows were given up
   * @throws where the disk takes no more
   */
  async append(rows: readonly Observation[]): Promise<number> {
    if (rows.length === 0) return 0;
    if (this.#open && this.#open.rows >= ROWS_PER_FILE) await this.close();
    this.#open ??= { name: `observations-${this.#run}-${String(++this.#sequence).padStart(10, '0')}.jsonl${OPEN}`, rows: 0, torn: false };
    const open = this.#open;
    const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    const begin = open.torn ? '\n' : '';
    open.torn = true;
    await mkdir(this.#directory, { recursive: true });
    await appendFile(this.#path(open.name), begin + lines);
    open.torn = false;
    open.rows += rows.length;
    let lost = 0;
    while (this.files > this.#maxFiles && this.#closed.length > 0) {
      const text = await readFile(this.#path(this.#closed[0]!), 'utf8').catch(() => '');
      lost += linesOf(text).length;
      await this.removeOldest();
    }
    return lost;
  }

  /** The oldest file, which takes no more rows from now on; null when there is none that can be read. */
  async oldest(): Promise<SpooledFile | null> {
    if (this.#closed.length === 0) await this.close();
    for (let name = this.#closed[0]; name !== undefined; name = this.#closed[0]) {
      try {
        const lines = linesOf(await readFile(this.#path(name), 'utf8'));
        const rows = lines.map(parseLine).filter((row) => row !== null);
        return { rows, unreadable: lines.length - rows.length };
      } catch (error) {
        this.#closed.shift();
        // Another gateway that shares the folder has delivered it.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        this.#setAside.add(name);
        throw error;
      }
    }
    return null;
  }

  /** All of the oldest file is delivered, or given up. Never rejects: what stays the next run delivers again, which changes nothing. */
  async removeOldest(): Promise<void> {
    const name = this.#closed.shift();
    if (name === undefined) return;
    await rm(this.#path(name), { force: true }).catch(() => this.#setAside.add(name));
  }

  /** The open file takes no more rows: whoever comes next may have it at once. */
  async close(): Promise<void> {
    if (!this.#open) return;
    const { name } = this.#open;
    this.#open = null;
    await this.#adopt(name);
  }

  async #adopt(name: string): Promise<void> {
    const closed = name.endsWith(OPEN) ? name.slice(0, -OPEN.length) : name;
    try {
      if (closed !== name) await rename(this.#path(name), this.#path(closed));
      this.#closed.push(closed);
    } catch {
      // It is not there: nothing was written, or another gateway took it.
    }
  }

  /** @param isLeft whether a file that was last written so long ago is nobody's; files that are closed are anybody's at the start */
  async #takeOver(isLeft: (idleMs: number) => boolean): Promise<void> {
    const known = new Set(this.#closed);
    for (const name of (await readdir(this.#directory)).sort()) {
      const match = FILE.exec(name);
      if (!match || known.has(name) || this.#setAside.has(name) || name === this.#open?.name) continue;
      const isOpen = match[1] !== undefined;
      const { mtimeMs } = await stat(this.#path(name)).catch(() => ({ mtimeMs: Date.now() }));
      const idleMs = Date.now() - mtimeMs;
      if (isOpen ? idleMs > this.#deadAfterMs : isLeft(idleMs)) await this.#adopt(name);
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');

function parseLine(line: string): Observation | null {
  try {
    return observationSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}
