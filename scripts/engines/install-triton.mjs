/**
 * Installs real Triton (tritonserver with its Python backend) for tests, in a private venv under the cache folder. Does nothing where that
 * was done before. Prints one line that says what there is, or `skipped: …` with the reason and exit code 0 where this machine cannot run it;
 * exit code 1 where the installation itself failed.
 *
 * `nvidia-pytriton` bundles the server, pinned, without CUDA and without the vLLM backend: for tests only. Whoever serves models runs NVIDIA's
 * own image. test/engines/triton.ts reads the file `ready.json` that this script writes last.
 */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, pythonMinor, run } from './steps.mjs';

const VERSION = '0.7.0';
const NEEDED_DISK_BYTES = 1e9;

const venv = join(cache, `triton-pytriton-${VERSION}`);
const python = join(venv, 'bin', 'python');
const readyFile = join(venv, 'ready.json');

main();

function main() {
  const minor = pythonMinor();
  const reason = existsSync(readyFile) ? undefined : (unsupported(minor) ?? noRoom());
  if (reason) {
    console.log(`skipped: real Triton is not installed here: ${reason}`);
    return;
  }
  if (!existsSync(readyFile)) install(minor);
  console.log(`Triton of nvidia-pytriton ${VERSION} is ready in ${venv}`);
}

/** Why the wheel cannot run on this machine, or undefined. */
function unsupported(minor) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `its wheel is for Linux on x86-64, this is ${process.platform} ${process.arch}`;
  const glibc = process.report.getReport().header.glibcVersionRuntime;
  if (!glibc || Number(glibc.split('.')[1]) < 35) return `it takes glibc 2.35 or later, this is ${glibc ?? 'another C library'}`;
  if (minor === undefined) return 'it takes a python3 (3.9 to 3.12) with its venv module on PATH';
  return minor >= 9 && minor <= 12 ? undefined : `it takes Python 3.9 to 3.12 with numpy before 2, python3 is 3.${minor}`;
}

function noRoom() {
  mkdirSync(cache, { recursive: true });
  const disk = statfsSync(cache);
  const free = disk.bavail * disk.bsize;
  return free >= NEEDED_DISK_BYTES ? undefined : `it takes 1 GB of free disk, ${cache} has ${(free / 1e9).toFixed(1)} GB`;
}

function install(minor) {
  // Whatever lies there was left by an installation that did not finish.
  rmSync(venv, { recursive: true, force: true });
  run('make a venv', 'python3', ['-m', 'venv', venv]);
  run('install numpy', python, ['-m', 'pip', 'install', '--quiet', 'numpy<2']);
  run(`install nvidia-pytriton ${VERSION}`, python, ['-m', 'pip', 'install', '--quiet', '--no-deps', `nvidia-pytriton==${VERSION}`]);
  const [sitePackages, prefix] = run('look around', python, [
    '-c',
    'import sys, sysconfig; print(sysconfig.get_path("purelib")); print(sys.base_prefix)',
  ]).split('\n');
  const bundled = join(sitePackages, 'pytriton', 'tritonserver');
  const server = join(bundled, 'bin', 'tritonserver');
  chmodSync(server, 0o755);
  const backends = join(venv, 'backends');
  arrangePythonBackend(bundled, join(backends, 'python'), minor, sitePackages);
  const libraries = [join(prefix, 'lib'), join(sitePackages, 'nvidia_pytriton.libs')].join(':');
  const command = ['env', `LD_LIBRARY_PATH=${libraries}`, `PYTHONHOME=${prefix}`, server, `--backend-directory=${backends}`];
  writeFileSync(readyFile, `${JSON.stringify({ version: VERSION, command, backends })}\n`);
}

/** The wheel keeps the backend and its stubs apart. The stub ignores PYTHONPATH and finds only what lies beside it. */
function arrangePythonBackend(bundled, folder, minor, sitePackages) {
  cpSync(join(bundled, 'backends', 'python'), folder, { recursive: true });
  const stub = join(folder, 'triton_python_backend_stub');
  copyFileSync(join(bundled, 'python_backend_stubs', `3.${minor}`, 'triton_python_backend_stub'), stub);
  chmodSync(stub, 0o755);
  for (const name of ['numpy', 'numpy.libs']) symlinkSync(join(sitePackages, name), join(folder, name));
}
