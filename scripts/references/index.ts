/** The pages that are written from what they describe. `npm run docs:references` writes them; a test says when that is due. */
import { apiReference } from './api.ts';
import { cliReference } from './cli.ts';

/** File in docs/ → its text. */
export async function references(): Promise<Record<string, string>> {
  return { 'cli-reference.md': cliReference(), 'api-reference.md': await apiReference() };
}
