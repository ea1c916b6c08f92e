/**
 * The disk that a host keeps its state on is full: no file there grows, none is made. Where we may mount, each host has a small tmpfs that is
 * filled to the last byte; elsewhere the host worker may write no file any more (RLIMIT_FSIZE 0: EFBIG instead of ENOSPC, engines are spared).
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type ChaosContext, pick } from '../context.ts';
import type { Aim } from './index.ts';

const DISK_BYTES = 32 * 1024 * 1024;

/** Gives a host a disk of its own. @returns how to take it away; null where we may not mount */
export function mountDisk(directory: string): (() => void) | null {
  if (process.getuid?.() !== 0) return null;
  mkdirSync(directory, { recursive: true });
  if (run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'uellm-chaos', directory]) !== 0) return null;
  return () => void run('umount', ['-l', directory]);
}

export const fillDisk: Aim = async (context, draw) => {
  const { installation, disk } = context;
  const worker = pick([...installation.links.keys()], draw);
  if (worker === null) return null;
  const host = worker.replace('host-', '');
  const { strike, mend } = disk === 'tmpfs' ? ballast(installation.layout.hostDir(host)) : writeLimit(context, worker);
  return { target: host, holds: [worker], replicaIds: [], strike: async () => strike(), mend: async () => mend() };
};

function ballast(directory: string) {
  const file = join(directory, 'ballast');
  return {
    strike() {
      const fd = openSync(file, 'w');
      // Ever smaller pieces, until not one byte is left.
      for (let piece = 1024 * 1024; piece >= 1; ) {
        try {
          if (writeSync(fd, Buffer.alloc(piece)) === 0) break;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          piece = Math.floor(piece / 2);
        }
      }
      closeSync(fd);
    },
    mend: () => rmSync(file, { force: true }),
  };
}

function writeLimit({ installation }: ChaosContext, worker: string) {
  const pid = String(installation.pidOf(worker));
  const limit = (bytes: string) => {
    if (run('prlimit', ['--pid', pid, `--fsize=${bytes}`]) !== 0) throw new Error('prlimit is needed to limit what a host worker writes');
  };
  return { strike: () => limit('0:unlimited'), mend: () => limit('unlimited:unlimited') };
}

function run(command: string, args: string[]): number | null {
  return spawnSync(command, args, { stdio: 'ignore' }).status;
}
