import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deriveKey } from '../../gateway/access/feature-key.ts';
import { ensureFeatureKey } from './feature-key.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-key-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the feature key of an installation', () => {
  it('is made once, for its owner alone, and kept at the next start', async () => {
    const file = join(directory, 'data', 'feature-key');
    expect(await ensureFeatureKey(file)).toBe(file);
    const made = readFileSync(file, 'utf8');
    expect(made).toMatch(/^[0-9a-f]{64}\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(deriveKey(made)).not.toBeNull();
    expect(await ensureFeatureKey(file)).toBe(file);
    expect(readFileSync(file, 'utf8')).toBe(made);
  });

  it("is another installation's no less than somebody's own that was put there", async () => {
    const [one, other] = [join(directory, 'one'), join(directory, 'other')];
    await Promise.all([ensureFeatureKey(one), ensureFeatureKey(other)]);
    expect(readFileSync(one, 'utf8')).not.toBe(readFileSync(other, 'utf8'));
    writeFileSync(one, 'mine', { mode: 0o640 });
    await ensureFeatureKey(one);
    expect(readFileSync(one, 'utf8')).toBe('mine');
  });

  it('is one, though two starts make it at once', async () => {
    const file = join(directory, 'feature-key');
    await Promise.all(Array.from({ length: 8 }, () => ensureFeatureKey(file)));
    expect(readFileSync(file, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
  });

  it('does not hide that it cannot be made', async () => {
    writeFileSync(join(directory, 'a-file'), '');
    await expect(ensureFeatureKey(join(directory, 'a-file', 'feature-key'))).rejects.toThrow(/EEXIST|ENOTDIR/);
  });
});
