#!/usr/bin/env node
// The command `uellm`, as npm links it: plain JavaScript that hands over to the build.
import { existsSync } from 'node:fs';

const built = new URL('../dist/bin/uellm.js', import.meta.url);
if (existsSync(built)) {
  await import(built.href);
} else {
  console.error('uellm is not built yet: run `npm run build` in its checkout (`npm ci` and `npm start` do that by themselves).');
  process.exitCode = 1;
}
