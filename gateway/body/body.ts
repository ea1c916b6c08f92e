/** Reads a request's body once, whole and bounded. */
import type { IncomingMessage } from 'node:http';
import { Gathered } from './gathered.ts';
import type { HeldBytes } from './held-bytes.ts';

export type BodyOutcome = { kind: 'body'; body: Buffer } | { kind: 'too-large' } | { kind: 'no-room' } | { kind: 'gone' };

/**
 * Calls back exactly once: with the body, as soon as it exceeds the limit or finds no room (the rest is forgotten as it comes), or when the
 * client went away. The bytes of a body that came are whoever's it is called back with to give back.
 */
export function readBody(req: IncomingMessage, limitBytes: number, room: HeldBytes, done: (outcome: BodyOutcome) => void): void {
  let gathered = new Gathered();
  let settled = false;
  const settle = (outcome: BodyOutcome) => {
    if (settled) return;
    settled = true;
    if (outcome.kind !== 'body') room.give(gathered.bytes);
    gathered = new Gathered();
    done(outcome);
  };
  req.on('data', (chunk: Buffer) => {
    if (settled) return;
    if (gathered.bytes + chunk.length > limitBytes) return settle({ kind: 'too-large' });
    if (!room.take(chunk.length)) return settle({ kind: 'no-room' });
    gathered.add(chunk);
  });
  req.on('end', () => settle({ kind: 'body', body: gathered.whole() }));
  req.on('error', () => settle({ kind: 'gone' }));
  req.on('close', () => settle({ kind: 'gone' }));
  if (Number(req.headers['content-length'] ?? 0) > limitBytes) settle({ kind: 'too-large' });
}
