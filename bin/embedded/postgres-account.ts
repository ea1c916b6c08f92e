/**
 * Postgres refuses to run as root. Where we are root it runs as another account of the system, which has to reach its
 * binaries and its data: a checkout under a home folder (mode 0700) is out of its reach, so both move to a folder that is not.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** Where things move that the account cannot reach otherwise. */
export const REACHABLE_ROOT = '/var/lib/uellm';

/** The account that Postgres runs as; undefined where we are not root and it can be our own. */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const ids = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }));
    if (ids.every((r) => r.status === 0)) return { name, uid: Number(ids[0]!.stdout), gid: Number(ids[1]!.stdout) };
  }
  throw new Error("Postgres does not run as root, and there is neither a user 'postgres' nor 'nobody': create one, or give DATABASE_URL");
}

/** Can the account enter this folder? Asked of the kernel rather than computed from modes. */
export function canEnter(account: Account, directory: string): boolean {
  return (
    spawnSync('/bin/sh', ['-c', 'cd "$1" && test -r .', 'sh', directory], { uid: account.uid, gid: account.gid, cwd: '/' }).status === 0
  );
}

/** `parent/name` where the account can reach it, else a folder that stands for it for good. It need not exist yet. */
export function reachableDataDir(account: Account | undefined, parent: string, name: string): string {
  if (!account) return join(parent, name);
  const moved = join(REACHABLE_ROOT, createHash('sha256').update(parent).digest('hex').slice(0, 16));
  // Data that moved once stays where it is, even if the parent was opened since.
  if (canEnter(account, parent) && !existsSync(join(moved, name))) return join(parent, name);
  mkdirSync(moved, { recursive: true });
  for (const directory of [REACHABLE_ROOT, moved]) chmodSync(directory, 0o755);
  return join(moved, name);
}

/** Binaries that the account can run: the given folder where it can, else a copy under the reachable root. */
export function reachableBinaries(account: Account | undefined, native: string, version: string): string {
  if (!account || canEnter(account, join(native, 'bin'))) return native;
  const copy = join(REACHABLE_ROOT, `postgres-${version}`);
  if (!existsSync(copy)) {
    // Copied aside and renamed: a copy that was interrupted must not pass for a whole one.
    const partial = `${copy}.${process.pid}`;
    mkdirSync(REACHABLE_ROOT, { recursive: true });
    chmodSync(REACHABLE_ROOT, 0o755);
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
    makeReadable(partial);
    try {
      renameSync(partial, copy);
    } catch (error) {
      rmSync(partial, { recursive: true, force: true });
      if (!existsSync(copy)) throw error; // another process was quicker
    }
  }
  return copy;
}

function makeReadable(directory: string): void {
  const done = spawnSync('chmod', ['-R', 'a+rX', directory], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`cannot make ${basename(directory)} readable: ${done.stderr}`);
}
