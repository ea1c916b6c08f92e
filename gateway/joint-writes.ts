/**
 * What is written in one turn of the event loop goes out at its end, socket after socket. A write to a process that sleeps has to wake it,
 * which takes longer than the rest of the write, and it sleeps again before the next request has been thought about; those that are written
 * together find it awake.
 */
import type { Socket } from 'node:net';

/** With so many they go at once: the first must not wait long for the last. */
const MOST = 16;

let held: (() => void)[] = [];

/** What is written to this socket from here on goes out at the end of the turn. */
export function writeWithOthers(socket: Socket): void {
  // It is held already, here or by node:http.
  if (socket.writableCorked > 0) return;
  socket.cork();
  atEndOfTurn(() => socket.uncork());
}

/** For what cannot be held back once it is written, as the end of an answer: node:http sends at once what the socket holds. */
export function atEndOfTurn(write: () => void): void {
  if (held.push(write) === 1) setImmediate(writeHeld);
  else if (held.length === MOST) writeHeld();
}

function writeHeld(): void {
  const writes = held;
  held = [];
  let failure: { error: unknown } | null = null;
  for (const write of writes) {
    try {
      write();
    } catch (error) {
      // The others are other requests'.
      failure = { error };
    }
  }
  if (failure) throw failure.error;
}
