import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Payload } from '@temporalio/common';
import { beforeEach, describe, expect, it } from 'vitest';
import { createCodec } from './codec.ts';

let file: string;
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'uellm-codec-')), 'keys');
  writeFileSync(file, line('2026-11'));
});

const line = (id: string) => `${id} ${randomBytes(32).toString('base64')}\n`;
const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString();
const PLAIN: Payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"llama-3.1-8b"') };
const keyOf = (payload: Payload | undefined) => text(payload?.metadata?.['encryption-key-id']);

describe('the codec of payloads', () => {
  it('gives back what it was given, and shows nothing of it meanwhile', async () => {
    const codec = createCodec(file)!;
    const [encrypted, again] = await codec.encode([PLAIN, PLAIN]);
    expect(text(encrypted?.metadata?.encoding)).toBe('binary/encrypted');
    expect(JSON.stringify(encrypted)).not.toContain('json/plain');
    expect(text(encrypted?.data)).not.toContain('llama');
    expect(Buffer.from(encrypted!.data!).equals(Buffer.from(again!.data!))).toBe(false);
    const [decrypted] = await createCodec(file)!.decode([encrypted!]);
    expect([text(decrypted?.metadata?.encoding), text(decrypted?.data)]).toEqual(['json/plain', '"llama-3.1-8b"']);
  });

  it('reads what was written before it was switched on, and what has no data', async () => {
    const codec = createCodec(file)!;
    expect(await codec.decode([PLAIN])).toEqual([PLAIN]);
    const none: Payload = { metadata: { encoding: Buffer.from('binary/null') } };
    const [decrypted] = await codec.decode(await codec.encode([none]));
    expect(text(decrypted?.metadata?.encoding)).toBe('binary/null');
  });

  it('rotates: the last key encrypts, older ones decrypt, and a key that came later is found without a restart', async () => {
    const running = createCodec(file)!;
    const [old] = await running.encode([PLAIN]);
    appendFileSync(file, line('2026-12'));
    const restarted = createCodec(file)!;
    const [young] = await restarted.encode([PLAIN]);
    expect([keyOf(old), keyOf(young)]).toEqual(['2026-11', '2026-12']);
    for (const codec of [running, restarted])
      expect((await codec.decode([old!, young!])).map((p) => text(p.data))).toEqual(['"llama-3.1-8b"', '"llama-3.1-8b"']);
    writeFileSync(file, line('2027-01'));
    await expect(createCodec(file)!.decode([old!])).rejects.toThrow("encrypted with the key '2026-11', which");
  });

  it('refuses a payload that was changed', async () => {
    const codec = createCodec(file)!;
    const [encrypted] = await codec.encode([PLAIN]);
    encrypted!.data![20]! ^= 1;
    await expect(codec.decode([encrypted!])).rejects.toThrow();
  });

  it.each([
    ['', 'which is empty'],
    ['2026-11 c2hvcnQ=', 'line 1 of'],
    [`${randomBytes(32).toString('base64')}`, 'line 1 of'],
    [`k ${randomBytes(32).toString('base64')}\nk ${randomBytes(32).toString('base64')}`, "an id other than 'k'"],
  ])('refuses the file %j without repeating it', (content, message) => {
    writeFileSync(file, content);
    expect(() => createCodec(file)).toThrow(message);
    expect(() => createCodec(file)).not.toThrow(content.slice(8) || 'nothing');
  });

  it('refuses a file that is not there', () => {
    expect(() => createCodec(join(file, 'none'))).toThrow('UELLM_CODEC_KEY_FILE');
  });
});
