/** Installs other routers, each pinned, into a folder of its own under the cache folder. Does nothing where that was done before. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Package {
  registry: 'pypi' | 'npm';
  /** With extras: `litellm[proxy]`. */
  name: string;
  version: string;
}

/** @returns its folder: a venv, or one with `node_modules`. @throws with the end of what the installer said */
export async function install(cacheDir: string, { registry, name, version }: Package, log: (line: string) => void): Promise<string> {
  const folder = join(cacheDir, `router-${name.replace(/\[.*\]|@/g, '').replace('/', '-')}-${version}`);
  const ready = join(folder, 'ready.json');
  if (existsSync(ready)) return folder;
  log(`installing ${name} ${version} from ${registry} …`);
  // Whatever lies there was left by an installation that did not finish.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    if (registry === 'pypi') {
      await run('python3', ['-m', 'venv', folder]);
      await run(join(folder, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `${name}==${version}`]);
    } else {
      writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
      await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`], { cwd: folder });
    }
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error);
    throw new Error(`${name} ${version} cannot be installed: ${said.trim().split('\n').slice(-3).join(' | ')}`, { cause: error });
  }
  writeFileSync(ready, '{}\n');
  return folder;
}
