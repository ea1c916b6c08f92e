import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** uPlot as text to be inlined. Found through its package, so that sources and dist/ find the same one. */
export function readUPlot(): { script: string; css: string } {
  const { resolve } = createRequire(import.meta.url);
  const read = (file: string) => readFileSync(resolve(`uplot/${file}`), 'utf8').trim();
  // The page is a copy of uPlot, so its licence goes along.
  return { script: `/*\n${read('LICENSE')}\n*/\n${read('dist/uPlot.iife.min.js')}`, css: read('dist/uPlot.min.css') };
}
