/** /api/v1/events: server-sent events (WHATWG HTML, 9.2). */
import { streamSSE } from 'hono/streaming';
import { UellmError } from '../../../core/domain/errors.ts';
import type { ApiDependencies } from '../../context.ts';
import { changeSchema } from '../../schema/cluster.ts';
import { createRoute, newRoutes, problems } from '../route.ts';

/** Changes closer together than this are told together. */
const GATHER_MS = 100;
const HEARTBEAT_MS = 15_000;

export function eventRoutes({ events }: ApiDependencies) {
  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/',
      access: { role: 'viewer' },
      tags: ['events'],
      summary: 'Changes as they happen',
      description: 'Each `changed` event names a kind of object to read again. A comment every 15 s keeps the connection open.',
      responses: {
        200: { description: 'A stream that does not end.', content: { 'text/event-stream': { schema: changeSchema } } },
        ...problems(),
      },
    }),
    (c) => {
      const watcher = events.watch();
      if (!watcher) throw new UellmError({ kind: 'unavailable', what: 'the event stream', reason: 'as many as may watch are watching' });
      c.header('x-accel-buffering', 'no');
      return streamSSE(c, async (stream) => {
        stream.onAbort(() => watcher.end());
        try {
          await stream.write(': watching\n\n');
          for (let kinds = await watcher.next(HEARTBEAT_MS); kinds !== null; kinds = await watcher.next(HEARTBEAT_MS)) {
            if (kinds.length === 0) await stream.write(': still here\n\n');
            for (const kind of kinds) await stream.writeSSE({ event: 'changed', data: JSON.stringify({ kind }) });
            await stream.sleep(GATHER_MS);
          }
        } finally {
          watcher.end();
        }
      });
    },
  );
}
