import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anObservation } from '../../test/support/observations.ts';
import { Spool } from './spool.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-spool-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const DEAD_AFTER_MS = 60_000;
const files = () => readdirSync(directory).sort();
const path = (name: string) => join(directory, name);
const rows = (...ids: string[]) => ids.map((id) => anObservation(id));

async function opened(options = {}): Promise<Spool> {
  const spool = new Spool(directory, options);
  await spool.load();
  return spool;
}

/** Delivers all there is. */
async function drained(spool: Spool): Promise<string[]> {
  const ids: string[] = [];
  while (!spool.empty) {
    const file = await spool.oldest();
    ids.push(...(file?.rows ?? []).map(({ requestId }) => requestId));
    await spool.removeOldest();
  }
  return ids;
}

/** Its gateway was last heard of so long ago. */
function silentFor(name: string, ms: number): void {
  const then = new Date(Date.now() - ms);
  utimesSync(path(name), then, then);
}

describe('a folder that gateways share', () => {
  it('keeps what each of them writes apart', async () => {
    const [a, b] = [await opened(), await opened()];
    await Promise.all([a.append(rows('a1')), b.append(rows('b1'))]);
    await Promise.all([a.append(rows('a2')), b.append(rows('b2'))]);
    expect(await drained(a)).toEqual(['a1', 'a2']);
    await b.append(rows('b3'));
    expect(await drained(b)).toEqual(['b1', 'b2', 'b3']);
    expect(files()).toEqual([]);
  });

  it('leaves alone what a live one writes to, and takes over what a dead one left', async () => {
    const dead = await opened();
    await dead.append(rows('left'));
    const heir = await opened();
    expect(await drained(heir)).toEqual([]);
    silentFor(files()[0]!, DEAD_AFTER_MS + 1000);
    expect(await drained(await opened())).toEqual(['left']);
  });

  it('is looked through again while a gateway runs, and by its touch each says that it lives', async () => {
    const [alive, dead] = [await opened({ deadAfterMs: 400 }), await opened({ deadAfterMs: 400 })];
    await alive.append(rows('alive'));
    const [own] = files();
    await dead.append(rows('left'));
    const heir = await opened({ deadAfterMs: 400 });
    const until = Date.now() + 5000;
    while (heir.empty && Date.now() < until) {
      await alive.tend();
      await heir.tend();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await drained(heir)).toEqual(['left']);
    expect(files()).toEqual([own]);
  });

  it('may deliver a closed file twice, but nobody trips over one that is gone', async () => {
    const first = await opened();
    await first.append(rows('x'));
    await first.close();
    const second = await opened();
    expect(await drained(first)).toEqual(['x']);
    expect(await second.oldest()).toBeNull();
    expect(second.empty).toBe(true);
  });

  it('goes on to write where its file was taken over while it was stopped', async () => {
    const stopped = await opened();
    await stopped.append(rows('before'));
    silentFor(files()[0]!, DEAD_AFTER_MS + 1000);
    expect(await drained(await opened())).toEqual(['before']);
    await stopped.append(rows('after'));
    expect(await drained(stopped)).toEqual(['after']);
  });
});

describe('a disk', () => {
  it('that is full for a time cuts off a line, and costs no other', async () => {
    const spool = await opened();
    await spool.append(rows('a'));
    const [name] = files();
    const aside = join(tmpdir(), `uellm-aside-${process.pid}`);
    renameSync(path(name!), aside);
    symlinkSync('/dev/full', path(name!));
    await expect(spool.append(rows('b'))).rejects.toMatchObject({ code: 'ENOSPC' });
    unlinkSync(path(name!));
    writeFileSync(path(name!), `${readFileSync(aside, 'utf8')}{"requestId":"b","acc`);
    unlinkSync(aside);
    await spool.append(rows('b', 'c'));
    expect(await drained(spool)).toEqual(['a', 'b', 'c']);
  });

  it('whose folder vanishes gets a new one', async () => {
    const spool = await opened();
    rmSync(directory, { recursive: true });
    await spool.append(rows('a'));
    expect(await drained(spool)).toEqual(['a']);
  });

  it('with a file that cannot be read keeps no other back', async () => {
    mkdirSync(path('observations-0000000001.jsonl'));
    writeFileSync(path('observations-0000000002.jsonl'), `${JSON.stringify(rows('b')[0])}\n`);
    const spool = await opened();
    await expect(spool.oldest()).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await drained(spool)).toEqual(['b']);
    expect(existsSync(path('observations-0000000001.jsonl'))).toBe(true);
    // Nor is it tried again and again.
    await spool.tend();
    expect(spool.empty).toBe(true);
  });
});
