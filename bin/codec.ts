/**
 * Payloads in Temporal, encrypted: AES-256-GCM by keys in a file that all roles and hosts have. A line is a key: an id, a blank, and 32 bytes in
 * base64. The last line encrypts, all of them decrypt; a payload that names another id has the file read anew, so that a key can be added
 * everywhere before any role restarts and begins to encrypt with it. What was never encrypted is read as it is.
 *
 * Not payloads, and so never encrypted: ids of workflows, names of task queues, search attributes.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { messageOf, UellmError } from '../core/domain/errors.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
/** NIST SP 800-38D: 96 random bits, for at most 2^32 payloads a key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The names that Temporal's own samples use. */
const ENCODING = 'binary/encrypted';
const ENCODING_FIELD = 'encoding';
const KEY_ID_FIELD = 'encryption-key-id';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const FAILURES = fileURLToPath(new URL('../workflows/encoded-failures.cjs', import.meta.url));
const TELL_FAILURES = 'globalThis.uellmEncodesFailures = true;';

/** What clients and workers are given; nothing without a file. Call it before any worker or client is made. */
export function dataConverterOf(codec: PayloadCodec | undefined): { dataConverter?: DataConverter } {
  if (!codec) return {};
  (globalThis as { uellmEncodesFailures?: boolean }).uellmEncodesFailures = true;
  return { dataConverter: { payloadCodecs: [codec], failureConverterPath: FAILURES } };
}

/** The bundle of workflows, which is built once for both. @param file where it lies */
export function workflowBundleOf(file: string, codec: PayloadCodec | undefined): { code: string } | { codePath: string } {
  return codec ? { code: TELL_FAILURES + readFileSync(file, 'utf8') } : { codePath: file };
}

/** @throws invalid-input where the file is no file of keys */
export function createCodec(file: string | undefined): PayloadCodec | undefined {
  if (file === undefined) return undefined;
  let keys = readCodecKeys(file);
  const [newestId, newest] = [...keys].at(-1)!;
  const keyOf = (id: string) => {
    if (!keys.has(id)) keys = readCodecKeys(file);
    const key = keys.get(id);
    if (!key) throw new Error(`a payload is encrypted with the key '${id}', which ${file} does not hold`);
    return key;
  };
  return {
    encode: async (payloads) => payloads.map((payload) => encrypt(payload, newestId, newest)),
    decode: async (payloads) => payloads.map((payload) => decrypt(payload, keyOf)),
  };
}

function encrypt(payload: Payload, id: string, key: KeyObject): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  const data = Buffer.concat([nonce, cipher.update(PayloadMessage.encode(payload).finish()), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { [ENCODING_FIELD]: Buffer.from(ENCODING), [KEY_ID_FIELD]: Buffer.from(id) }, data };
}

function decrypt(payload: Payload, keyOf: (id: string) => KeyObject): Payload {
  const told = (field: string) => Buffer.from(payload.metadata?.[field] ?? []).toString();
  if (told(ENCODING_FIELD) !== ENCODING) return payload;
  const data = payload.data ?? new Uint8Array();
  const decipher = createDecipheriv(CIPHER, keyOf(told(KEY_ID_FIELD)), data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(data.subarray(-TAG_BYTES));
  const { metadata, data: plain } = PayloadMessage.decode(
    Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]),
  );
  return { metadata, data: plain };
}

/** In the order of the file. @throws invalid-input, which never repeats a key */
export function readCodecKeys(file: string): Map<string, KeyObject> {
  const refuse = (given: string, allowed: string): never => {
    throw new UellmError({ kind: 'invalid-input', what: 'the environment', issues: [{ field: 'UELLM_CODEC_KEY_FILE', given, allowed }] });
  };
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    refuse(messageOf(error), 'a file that can be read');
  }
  const keys = new Map<string, KeyObject>();
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    const [id = '', key = '', ...rest] = line.trim().split(/\s+/);
    const bytes = Buffer.from(key, 'base64');
    if (!/^[\w.-]{1,100}$/.test(id) || bytes.length !== KEY_BYTES || rest.length > 0)
      refuse(`line ${i + 1} of ${file}`, `an id of letters, digits, dots and dashes, a blank, and ${KEY_BYTES} bytes in base64`);
    if (keys.has(id)) refuse(`line ${i + 1} of ${file}`, `an id other than '${id}', which an earlier line has`);
    keys.set(id, createSecretKey(bytes));
  });
  if (keys.size === 0) refuse(`${file}, which is empty`, 'a file with a key a line');
  return keys;
}
