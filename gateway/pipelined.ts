/**
 * Requests that come on a connection before those before them are answered. Node begins with each at once, but tells only the one whose turn
 * it is that its client has gone; and where very many wait it reads no further, so that even that one is not told.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Clients of this API send one after the other. */
const MOST_AHEAD = 8;

const ahead = new WeakMap<Socket, number>();

/** @returns false where too many came ahead of their turn: the connection is ended, with all that came on it */
export function mayGoAhead(res: ServerResponse): boolean {
  // It has the socket when it is its turn.
  if (res.socket !== null) return true;
  const { socket } = res.req;
  const count = (ahead.get(socket) ?? 0) + 1;
  if (count > MOST_AHEAD) {
    socket.destroy();
    return false;
  }
  ahead.set(socket, count);
  res.once('close', () => ahead.set(socket, ahead.get(socket)! - 1));
  return true;
}

/** Calls back when the connection of its client has ended, whose turn it may be, or when it has been answered. */
export function onceGone(res: ServerResponse, gone: () => void): void {
  res.once('close', gone);
  if (res.socket !== null) return;
  const { socket } = res.req;
  socket.once('close', gone);
  res.once('close', () => socket.off('close', gone));
}
