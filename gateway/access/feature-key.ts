/**
 * The installation's key for the hashes of prompts' words, from a file that all gateways have: hex or any other text of at least 32
 * characters. Another content is another key, in force within seconds; what was hashed before is then no longer learned from.
 */
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { messageOf } from '../../core/domain/errors.ts';
import { createSketcher, type Sketcher, type SketchKey } from '../../core/profiler/text/sketch.ts';

const LEAST_CHARACTERS = 32;
const REREAD_EVERY_MS = 5000;

/** Two different derivations, so that the id, which is stored, does not give the key away. @returns null for a text that is too short */
export function deriveKey(secret: string): SketchKey | null {
  const text = secret.trim();
  if (text.length < LEAST_CHARACTERS) return null;
  const derive = (purpose: string) => createHmac('sha256', text).update(`uellm ${purpose}`).digest();
  const key = derive('features of prompts');
  return { id: derive('id of the feature key').toString('hex', 0, 6), k0: key.readInt32LE(0), k1: key.readInt32LE(4) };
}

export interface FeatureKeyFile {
  /** null while there is no usable key: lengths alone are looked at then. */
  sketcher(): Sketcher | null;
  close(): void;
}

export function watchFeatureKey(file: string | null, logger: Logger): FeatureKeyFile {
  if (file === null) {
    logger.info('no UELLM_FEATURE_KEY_FILE: predicting by lengths, without the words of prompts');
    return { sketcher: () => null, close: () => {} };
  }
  let current: { id: string; sketcher: Sketcher } | null = null;
  let complained = false;
  const read = async () => {
    try {
      const key = deriveKey(await readFile(file, 'utf8'));
      if (!key) throw new Error(`it holds fewer than ${LEAST_CHARACTERS} characters`);
      complained = false;
      if (key.id === current?.id) return;
      current = { id: key.id, sketcher: createSketcher(key) };
      logger.info({ featureKey: key.id }, 'hashing words of prompts with this key from here on');
    } catch (error) {
      // The key that was read before goes on: a file that is being replaced is no reason to forget it.
      if (!complained)
        logger.warn({ file, error: messageOf(error) }, 'the feature key cannot be read: predicting by the last one, or by lengths');
      complained = true;
    }
  };
  const timer = setInterval(() => void read(), REREAD_EVERY_MS);
  timer.unref();
  void read();
  return { sketcher: () => current?.sketcher ?? null, close: () => clearInterval(timer) };
}
