/** `npm run docs:references`: writes docs/cli-reference.md and docs/api-reference.md from the sources as they are. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const here = dirname(fileURLToPath(import.meta.url));
const { module } = await runnerImport(join(here, 'references/index.ts'), { logLevel: 'error' });
for (const [file, text] of Object.entries(await module.references())) writeFileSync(join(here, '../docs', file), text);
