import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { references } from './references/index.ts';

const docs = fileURLToPath(new URL('../docs', import.meta.url));

it('references are current: `npm run docs:references` writes them', async () => {
  for (const [file, text] of Object.entries(await references())) expect(readFileSync(join(docs, file), 'utf8'), file).toBe(text);
});
