/**
 * Observations on disk while Postgres is away: JSON lines in numbered files. Only the newest file is appended to, and it is never read while
 * that can happen; a file is removed once all of it is delivered. A crash in between delivers a file twice, which changes nothing.
 */
import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Observation, observationSchema } from '../core/domain/observation.ts';

const ROWS_PER_FILE = 2000;
const FILE = /^observations-(\d{10})\.jsonl$/;

export interface SpooledFile {
  path: string;
  rows: Observation[];
  /** Lines that are no observations: cut off by a crash. */
  unreadable: number;
}

export class Spool {
  readonly #directory: string;
  readonly #maxFiles: number;
  #files: number[] = [];
  /** Rows in the newest file; null when it takes no more. */
  #open: number | null = null;

  /** @param directory for this gateway alone */
  constructor(directory: string, maxRows = 500_000) {
    this.#directory = directory;
    this.#maxFiles = Math.max(1, Math.ceil(maxRows / ROWS_PER_FILE));
  }

  /** Finds what an earlier run left. */
  async load(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const names = await readdir(this.#directory);
    const numbers = names.flatMap((name) => FILE.exec(name)?.[1] ?? []).map(Number);
    this.#files = numbers.sort((a, b) => a - b);
  }

  get empty(): boolean {
    return this.#files.length === 0;
  }

  /** Files on disk. */
  get files(): number {
    return this.#files.length;
  }

  /** Appends rows. Beyond the bound the oldest file goes. @returns how many files were given up */
  async append(rows: readonly Observation[]): Promise<number> {
    if (rows.length === 0) return 0;
    if (this.#open === null || this.#open >= ROWS_PER_FILE) {
      this.#files.push((this.#files.at(-1) ?? 0) + 1);
      this.#open = 0;
    }
    this.#open += rows.length;
    await appendFile(this.#path(this.#files.at(-1)!), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    let lost = 0;
    for (; this.#files.length > this.#maxFiles; lost++) await rm(this.#path(this.#files.shift()!), { force: true });
    return lost;
  }

  /** The oldest file, which takes no more rows from now on; null when there is none. */
  async oldest(): Promise<SpooledFile | null> {
    const [first] = this.#files;
    if (first === undefined) return null;
    if (this.#files.length === 1) this.#open = null;
    const path = this.#path(first);
    const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
    const rows = lines.map(parseLine);
    const readable = rows.filter((row) => row !== null);
    return { path, rows: readable, unreadable: rows.length - readable.length };
  }

  /** All of the oldest file is delivered. */
  async removeOldest(): Promise<void> {
    const first = this.#files.shift();
    if (first !== undefined) await rm(this.#path(first), { force: true });
  }

  #path(number: number): string {
    return join(this.#directory, `observations-${String(number).padStart(10, '0')}.jsonl`);
  }
}

function parseLine(line: string): Observation | null {
  try {
    return observationSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}
