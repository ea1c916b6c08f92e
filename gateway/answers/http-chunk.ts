/** Framing of a body whose length is not known. Source: RFC 9112, section 7.1. */

export const LAST_CHUNK = '0\r\n\r\n';

/** Of lengths in hexadecimal, with their line's end. */
const MAX_FRAME_BYTES = 12;

/** The bytes as one chunk, in one buffer: node:http writes three. */
export function asChunk(bytes: Buffer): Buffer {
  const chunk = Buffer.allocUnsafe(bytes.length + MAX_FRAME_BYTES);
  let at = chunk.write(`${bytes.length.toString(16)}\r\n`, 'latin1');
  at += bytes.copy(chunk, at);
  chunk[at] = 0x0d;
  chunk[at + 1] = 0x0a;
  return chunk.subarray(0, at + 2);
}
