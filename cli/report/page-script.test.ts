import { readdirSync, readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { pageScript } from './page-script.ts';

const page = new URL('./page/', import.meta.url);

describe('the script of the page', () => {
  it('runs by itself', () => {
    const columns = runInNewContext(`${pageScript()}\ncdfColumns([[10, 20]], [15], 0)`) as unknown;
    expect(JSON.stringify(columns)).toBe('[[10,15,20],[0,0.5,1]]');
  });

  it('stays inside its element', () => {
    expect(pageScript()).not.toMatch(/<\/script|<!--/i);
  });

  // Only what a file exports is inlined, and an import would be missing in the page.
  it.each(readdirSync(page).filter((file) => !file.endsWith('.test.ts')))('has all of %s', (file) => {
    const lines = readFileSync(new URL(file, page), 'utf8').split('\n');
    expect(
      lines.filter((line) => /^(async )?function |^(const|let|class|enum) |^import (?!type )|^export (const|let|class)/.test(line)),
    ).toEqual([]);
  });
});
