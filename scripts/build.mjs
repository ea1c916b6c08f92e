/**
 * `npm run build`: everything that runs, as plain JavaScript in dist/, so that no process needs a TypeScript loader or a bundler.
 *
 *   dist/<folder>/...          compiled TypeScript, and the files that it reads: SQL migrations, the demo fleet
 *   dist/workflow-bundle.js    the workflows as a Temporal worker loads them
 *   dist/web/                  the dashboard
 *
 * Built aside and swapped in whole: a build that fails leaves the last one in place. When nothing changed it does nothing.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const stampFile = join(dist, 'build-stamp');

const SOURCES = [
  'core',
  'db',
  'engines',
  'activities',
  'workflows',
  'gateway',
  'profiler',
  'api',
  'cli',
  'bin',
  'bench',
  'test/chaos',
  'test/support/installation.ts',
  'test/support/link.ts',
  'web',
  'scripts/build.mjs',
];
const SETTINGS = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

/** Digest of every input's path and content, tests left out. */
function inputsDigest() {
  const hash = createHash('sha256').update(process.version);
  for (const file of [...SOURCES, ...SETTINGS].flatMap((path) => filesUnder(path)).sort()) {
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

function filesUnder(path) {
  if (!existsSync(join(root, path))) return [];
  if (/\.\w+$/.test(path)) return [path];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

/** Runs a command of a package in node_modules. */
function run(packageName, binary, args) {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve(`${packageName}/package.json`);
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(dirname(manifest), bin[binary]), ...args], { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${binary} failed`))));
  });
}

async function compile(target) {
  await run('typescript', 'tsc', ['-p', 'tsconfig.build.json', '--outDir', target]);
  for (const data of ['db/migrations', 'infra/demo', 'workflows/encoded-failures.cjs'])
    cpSync(join(root, data), join(target, data), { recursive: true });
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(target, 'workflows/index.js'),
    failureConverterPath: join(target, 'workflows/encoded-failures.cjs'),
    logger: { ...console, trace() {}, debug() {}, info() {} },
  });
  writeFileSync(join(target, 'workflow-bundle.js'), code);
}

async function buildDashboard(target) {
  const { build } = await import(pathToFileURL(createRequire(import.meta.url).resolve('vite')).href);
  await build({ root: join(root, 'web'), logLevel: 'warn', build: { outDir: join(target, 'web'), emptyOutDir: true } });
}

/** One build at a time: others wait, and then find that there is nothing left to do. */
async function withLock(work) {
  const lock = join(root, '.cache', 'build.lock');
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isAlive(lock)) rmSync(lock, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function isAlive(lock) {
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

const isUpToDate = (digest) => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === digest;

async function main() {
  const digest = inputsDigest();
  if (!isUpToDate(digest)) await withLock(() => build(digest));
}

async function build(digest) {
  if (isUpToDate(digest)) return;
  const started = Date.now();
  // What an interrupted build left goes as well: nobody else builds now.
  const target = join(root, '.cache', 'build');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  try {
    await Promise.all([compile(target), buildDashboard(target)]);
    writeFileSync(join(target, 'build-stamp'), digest);
    const previous = `${target}-previous`;
    rmSync(previous, { recursive: true, force: true });
    if (existsSync(dist)) renameSync(dist, previous);
    renameSync(target, dist);
    rmSync(previous, { recursive: true, force: true });
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
  console.error(`built dist/ in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

main().catch((error) => {
  console.error(`build failed: ${error.message}`);
  process.exitCode = 1;
});
