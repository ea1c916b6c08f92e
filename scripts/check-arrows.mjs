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

/** Every source file but tests, which may import what they like. */
const sources = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.(test|d)\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
);

/** The sources as JavaScript. @param keepTypes imports of types become imports like any other */
function writeJavaScript(target, keepTypes) {
  for (const file of sources) {
    const text = readFileSync(join(root, file), 'utf8');
    const { code } = transformSync(keepTypes ? text.replaceAll(/^(import|export) type (?=[{*]|\w+ from)/gm, '$1 ') : text, {
      filename: file,
      swcrc: false,
      jsc: {
        parser: { syntax: 'typescript', tsx: file.endsWith('x') },
        target: 'es2022',
        transform: { verbatimModuleSyntax: true, react: { runtime: 'automatic', importSource: 'preact' } },
        rewriteRelativeImportExtensions: true,
      },
    });
    const out = join(target, file).replace(/\.tsx?$/, '.js');
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, code);
  }
}

/** Returns how many modules dependency-cruiser read, and what is wrong with them. */
async function cruise(arrowsOf) {
  const target = mkdtempSync(join(tmpdir(), 'uellm-arrows-'));
  try {
    writeJavaScript(target, arrowsOf === 'types');
    const bin = join(here, '../node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    const args = [bin, '--config', join(here, '../.dependency-cruiser.cjs'), '--output-type', 'json', '.'];
    const options = { cwd: target, env: { ...process.env, ARROWS_OF: arrowsOf }, maxBuffer: 256 * 1024 * 1024 };
    const { stdout, stderr } = await new Promise((done) => {
      execFile(process.execPath, args, options, (_, out, err) => done({ stdout: out, stderr: err }));
    });
    if (!stdout.trim().startsWith('{')) throw new Error(`dependency-cruiser failed: ${stderr || stdout}`);
    const { modules, summary } = JSON.parse(stdout);
    return {
      modules: modules.filter((module) => folders.some((folder) => module.source.startsWith(`${folder}/`))).length,
      problems: summary.violations.map(({ from, to, rule, cycle }) => {
        const path = cycle ? cycle.map((step) => step.name).join(' → ') : to;
        return `${rule.name}: ${from} → ${path}`.replaceAll(/\.js\b/g, '.ts');
      }),
    };
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

const results = await Promise.all([cruise('types'), cruise('code')]);
const problems = new Set(results.flatMap((result) => result.problems));
const modules = Math.min(...results.map((result) => result.modules));
if (modules < atLeast) problems.add(`only ${modules} modules were read, of at least ${atLeast}: the check sees too little`);
for (const problem of problems) console.error(problem);
console.log(`arrows: ${modules} modules, ${problems.size} problems`);
process.exitCode = problems.size > 0 ? 1 : 0;
