/** Packages for Python, each in a venv of its own under the cache folder, installed at their first use. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** OpenAI's client. @returns the venv's python, or why there is none */
export const findPythonClient = () => findPythonPackage('openai', '3.57.0', 'openai-python');

/** @returns the python of a venv that has the package, or why there is none */
export async function findPythonPackage(name: string, version: string, folder = name): Promise<{ python: string } | { skipped: string }> {
  const cache = process.env.UELLM_CACHE_DIR ?? join(homedir(), '.cache', 'uellm');
  const venv = join(cache, `${folder}-${version}`);
  const python = join(venv, 'bin', 'python');
  if (existsSync(join(venv, 'ready'))) return { python };
  try {
    // Whatever lies there was left by an installation that did not finish.
    rmSync(venv, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    await run('python3', ['-m', 'venv', venv]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--retries=1', '--timeout=15', `${name}==${version}`], { timeout: 150_000 });
    mkdirSync(join(venv, 'ready'));
    return { python };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { skipped: `${name} ${version} for Python cannot be installed: ${(stderr || message).trim().split('\n').at(-1)}` };
  }
}

/** Runs a script in this folder. @returns what it prints, parsed. @throws with what it says where it fails */
export async function runPython(python: string, script: string, args: readonly string[]): Promise<unknown> {
  const { stdout } = await run(python, [join(import.meta.dirname, script), ...args], { timeout: 60_000 });
  return JSON.parse(stdout);
}
