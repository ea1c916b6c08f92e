/**
 * Checks the arrows between folders (`arrows.cjs`), twice: on the sources, where a type counts as an import, and on the code that is left
 * without types. Fails as well when it finds too few modules: a parser that reads nothing finds nothing wrong.
 *
 * usage: check-arrows.mjs [--root DIR] [--at-least MODULES]
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { transformSync } from '@swc/core';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { root: { type: 'string' }, 'at-least': { type: 'string' } } });
const root = resolve(values.root ?? join(here, '..'));
const atLeast = Number(values['at-least'] ?? 250);

const { ARROWS } = createRequire(import.meta.url)('./arrows.cjs');
const folders = [...new Set([...Object.keys(ARROWS).map((folder) => folder.split('/')[0]), 'bin'])].filter((f) =>
  existsSync(join(root, f)),
);

/** Runs dependency-cruiser by one of the configurations. Returns how many modules it read, and what is wrong. */
async function cruise(config, directory) {
  const bin = join(here, '../node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [bin, '--config', join(here, '..', config), '--output-type', 'json', ...folders];
  const { stdout, stderr } = await new Promise((done) => {
    execFile(process.execPath, args, { cwd: directory, maxBuffer: 256 * 1024 * 1024 }, (_, out, err) => done({ stdout: out, stderr: err }));
  });
  if (!stdout.trim().startsWith('{')) throw new Error(`dependency-cruiser failed: ${stderr || stdout}`);
  const { modules, summary } = JSON.parse(stdout);
  const read = modules.filter((module) => folders.some((folder) => module.source.startsWith(`${folder}/`)));
  return {
    modules: read.length,
    problems: summary.violations.map(({ from, to, rule, cycle }) => {
      const path = cycle ? cycle.map((step) => step.name ?? step).join(' → ') : to;
      return `${rule.name}: ${from} → ${path}`;
    }),
  };
}

/** The code as it runs: every source file without its types. */
function writeCode(target) {
  for (const folder of folders) {
    mkdirSync(join(target, folder));
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.tsx?$/.test(entry.name) || /\.(test|d)\.tsx?$/.test(entry.name)) continue;
      const file = join(entry.parentPath, entry.name);
      const { code } = transformSync(readFileSync(file, 'utf8'), {
        filename: file,
        swcrc: false,
        jsc: {
          parser: { syntax: 'typescript', tsx: file.endsWith('x') },
          target: 'es2022',
          transform: { verbatimModuleSyntax: true, react: { runtime: 'automatic', importSource: 'preact' } },
          rewriteRelativeImportExtensions: true,
        },
      });
      const out = join(target, file.slice(root.length + 1)).replace(/\.tsx?$/, '.js');
      mkdirSync(dirname(out), { recursive: true });
      writeFileSync(out, code);
    }
  }
}

const target = mkdtempSync(join(tmpdir(), 'uellm-arrows-'));
try {
  writeCode(target);
  const [sources, code] = await Promise.all([cruise('.dependency-cruiser.cjs', root), cruise('.dependency-cruiser.code.cjs', target)]);
  const problems = [...new Set([...sources.problems, ...code.problems.map((p) => p.replaceAll(/\.js\b/g, '.ts'))])];
  for (const found of [sources, code]) {
    if (found.modules < atLeast)
      problems.push(`only ${found.modules} modules were read, of at least ${atLeast}: the check sees too little`);
  }
  for (const problem of problems) console.error(problem);
  console.log(`arrows: ${sources.modules} modules, ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
} finally {
  rmSync(target, { recursive: true, force: true });
}
