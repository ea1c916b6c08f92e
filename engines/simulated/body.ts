/** JSON bodies of requests. */
import type { IncomingMessage } from 'node:http';
import { type ApiError, badRequest, tooLarge } from './errors.ts';

/** The longest context of any known model in text, with room for JSON around it. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

export async function readJson(req: IncomingMessage): Promise<{ ok: true; value: unknown } | { ok: false; error: ApiError }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += chunk.length;
    // What is too much is read and dropped: an answer that comes before the end of the body is lost with the connection.
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_BODY_BYTES) return { ok: false, error: tooLarge(MAX_BODY_BYTES) };
  try {
    return { ok: true, value: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
  } catch (error) {
    return { ok: false, error: badRequest(`The request body is not JSON: ${(error as Error).message}`) };
  }
}
