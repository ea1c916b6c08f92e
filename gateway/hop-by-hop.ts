/** Headers of one connection, not of the message. Source: RFC 9110, section 7.6.1. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Those that a message says to be of its connection alone, too; null for none. Source: RFC 9110, section 7.6.1. */
export function namedHeaders(connection: string | undefined): string[] | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null;
  return connection.toLowerCase().split(/[ \t]*,[ \t]*/);
}
