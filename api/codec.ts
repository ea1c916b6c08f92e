/**
 * /codec/encode and /codec/decode, as Temporal's UI and its command line ask a codec server: payloads in protobuf's JSON, so that people who may
 * ask this API read what workers have encrypted. Pages of the UI's origin may ask, and no others; mounted before the guard of the origin for
 * that reason.
 */
import type { PayloadCodec } from '@temporalio/common';
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';
import { messageOf, UellmError } from '../core/domain/errors.ts';
import { parseInput } from '../core/domain/validate.ts';
import { authorize } from './access.ts';
import type { ApiEnv } from './context.ts';

export interface CodecEndpoint {
  codec: PayloadCodec;
  /** Of Temporal's UI. */
  uiOrigin: string;
}

/** The UI asks for a page of a history at once. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const tooLarge = () => {
  throw new HTTPException(413, { message: `payloads may have ${MAX_BODY_BYTES} bytes at most` });
};

const base64 = z.base64();
const bodySchema = z.strictObject({
  payloads: z.array(z.looseObject({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() })),
});

/** @param authenticate names the caller, or refuses */
export function codecRoutes({ codec, uiOrigin }: CodecEndpoint, authenticate: MiddlewareHandler<ApiEnv>) {
  const app = new Hono<ApiEnv>();
  app.use(async (c, next) => {
    const origin = c.req.header('origin');
    if (origin !== undefined && origin !== uiOrigin)
      throw new UellmError({
        kind: 'forbidden',
        reason: `pages from '${origin}' do not read payloads, only those of Temporal's UI, ${uiOrigin}`,
      });
    await next();
  });
  app.use(
    cors({
      origin: uiOrigin,
      allowMethods: ['POST'],
      allowHeaders: ['authorization', 'content-type', 'x-namespace'],
      credentials: true,
    }),
  );
  app.use(authenticate, authorize({ role: 'viewer' }), bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge }));
  for (const direction of ['encode', 'decode'] as const) {
    app.post(`/${direction}`, async (c) => {
      const { payloads } = parseInput(bodySchema, await c.req.json().catch(() => null), 'the request body');
      const given = payloads.map(({ metadata = {}, data = '' }) => ({
        metadata: Object.fromEntries(Object.entries(metadata).map(([field, value]) => [field, Buffer.from(value, 'base64')])),
        data: Buffer.from(data, 'base64'),
      }));
      const answered = await codec[direction](given).catch((error: unknown) => {
        const issues = [{ field: 'payloads', given: messageOf(error), allowed: 'payloads that this installation has encrypted' }];
        throw new UellmError({ kind: 'invalid-input', what: 'the request body', issues });
      });
      const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
      return c.json({
        payloads: answered.map(({ metadata, data }) => ({
          metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([field, value]) => [field, text(value)])),
          data: text(data ?? new Uint8Array()),
        })),
      });
    });
  }
  return app;
}
