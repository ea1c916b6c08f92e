/** Reads a request's body once, whole and bounded. */
import type { IncomingMessage } from 'node:http';

export type BodyOutcome = { kind: 'body'; body: Buffer } | { kind: 'too-large' } | { kind: 'gone' };

/** Calls back exactly once: with the body, as soon as it exceeds the limit (the rest is forgotten as it comes), or when the client went away. */
export function readBody(req: IncomingMessage, limitBytes: number, done: (outcome: BodyOutcome) => void): void {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let settled = false;
  const settle = (outcome: BodyOutcome) => {
    if (settled) return;
    settled = true;
    chunks = [];
    done(outcome);
  };
  req.on('data', (chunk: Buffer) => {
    if (settled) return;
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > limitBytes) settle({ kind: 'too-large' });
  });
  req.on('end', () => settle({ kind: 'body', body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }));
  req.on('error', () => settle({ kind: 'gone' }));
  req.on('close', () => settle({ kind: 'gone' }));
  if (Number(req.headers['content-length'] ?? 0) > limitBytes) settle({ kind: 'too-large' });
}
