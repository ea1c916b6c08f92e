import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KNOWN_CONFIGS } from '../core/domain/model-spec.ts';
import { readModelConfig } from './model-config.ts';

describe('readModelConfig', () => {
  let folder: string;
  let source: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'uellm-config-'));
    source = pathToFileURL(folder).href;
  });
  afterEach(() => rm(folder, { recursive: true }));
  const write = (text: string) => writeFile(join(folder, 'config.json'), text);

  it('reads what lies beside the weights, and nothing where there is nothing to read', async () => {
    expect(await readModelConfig(source)).toBeUndefined();
    expect(await readModelConfig('hf://owner/name')).toBeUndefined();
    await write(JSON.stringify(KNOWN_CONFIGS['mixtral-8x7b']));
    expect(await readModelConfig(source)).toEqual(KNOWN_CONFIGS['mixtral-8x7b']);
  });

  it.each([
    ['{ "num_hidden_layers": 32,', /config\.json is not valid: the input: got .*, allowed is JSON/],
    ['[]', /config\.json is not valid: the input: got \[\], allowed is an object/],
    ['{ "hidden_size": -1 }', /hidden_size: got -1, allowed is a number above 0/],
    ['{ "hidden_size": 8 }', /num_hidden_layers: got nothing, allowed is a whole number above 0 \(or as n_layer, n_layers, num_layers\)/],
  ])('says what is wrong with %s', async (text, message) => {
    await write(text);
    await expect(readModelConfig(source)).rejects.toThrow(message);
  });

  it('says so where the source is no folder', async () => {
    await expect(readModelConfig('file:///a%2Fb')).rejects.toMatchObject({ detail: { kind: 'invalid-input', what: 'file:///a%2Fb' } });
  });
});
