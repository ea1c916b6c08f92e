/** What the installers of real engines share. Cache folder: UELLM_CACHE_DIR, else ~/.cache/uellm. */
import { execFileSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const cache = process.env.UELLM_CACHE_DIR ?? join(homedir(), '.cache', 'uellm');

/** The minor version of python3 where it has its venv module, else undefined. */
export function pythonMinor() {
  try {
    return Number(execFileSync('python3', ['-c', 'import venv, sys; print(sys.version_info[1])'], { encoding: 'utf8', stdio: 'pipe' }));
  } catch {
    return undefined;
  }
}

/** Runs one step and says how long it took; a failure ends the process with code 1. @returns what it printed */
export function run(step, command, args, { mayFail = false } = {}) {
  const begun = Date.now();
  process.stdout.write(`${step} …`);
  let printed = '';
  try {
    printed = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64e6 }).trim();
  } catch (error) {
    if (!mayFail) {
      console.error(`\n${step} failed: ${error.stderr?.toString().trim().split('\n').slice(-15).join('\n') || error.message}`);
      process.exit(1);
    }
  }
  console.log(` ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  return printed;
}
