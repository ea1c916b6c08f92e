import { HTTPException } from 'hono/http-exception';
import { describe, expect, it } from 'vitest';
import { UellmError, type UellmErrorDetail } from '../core/domain/errors.ts';
import { toProblem } from './problem.ts';

const refusal = { kind: 'refused' as const, on: 'memory' as const, subject: 'chat', message: 'does not fit' };

describe('toProblem', () => {
  it.each([
    [{ kind: 'invalid-input', what: 'it', issues: [{ field: 'a', given: '1', allowed: '2' }] }, 422],
    [{ kind: 'not-found', what: 'host', name: 'h' }, 404],
    [{ kind: 'already-exists', what: 'host', name: 'h' }, 409],
    [{ kind: 'conflict', what: 'host', name: 'h', reason: 'r' }, 409],
    [{ kind: 'refused', refusal }, 409],
    [{ kind: 'stale-generation', replicaId: 'r', given: 1, current: 2 }, 409],
    [{ kind: 'engine-failed', replicaId: 'r', reason: 'x' }, 502],
    [{ kind: 'disk-full', directory: '/cache', neededBytes: 2e9, freeBytes: 1e9 }, 502],
    [{ kind: 'unauthorized', reason: 'x' }, 401],
    [{ kind: 'forbidden', reason: 'x' }, 403],
    [{ kind: 'unavailable', what: 'x', reason: 'y' }, 503],
  ] as [UellmErrorDetail, number][])('maps %j to %i', (detail, status) => {
    const { problem } = toProblem(new UellmError(detail), '/here');
    expect(problem).toMatchObject({
      type: `urn:uellm:problem:${detail.kind}`,
      status,
      instance: '/here',
      detail: expect.stringMatching(/./),
    });
    expect(problem.refusal).toEqual(detail.kind === 'refused' ? refusal : undefined);
    expect(problem.issues).toEqual(detail.kind === 'invalid-input' ? detail.issues : undefined);
  });

  it.each([
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' }),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
  ])('knows a database that is away, also behind a failed query: %s', (cause) => {
    const { problem, headers } = toProblem(new Error('Failed query: select 1', { cause }), '/');
    expect(problem).toMatchObject({ status: 503, detail: expect.stringContaining('Postgres is unavailable') });
    expect(headers).toEqual({ 'retry-after': '2' });
  });

  it('keeps to itself what should not have happened', () => {
    const { problem } = toProblem(new Error('password authentication failed for user "x"'), '/');
    expect(problem).toMatchObject({ status: 500, type: 'urn:uellm:problem:internal' });
    expect(JSON.stringify(problem)).not.toContain('password');
  });

  it('takes over what HTTP itself answers', () => {
    expect(toProblem(new HTTPException(412, { message: 'older' }), '/').problem).toMatchObject({ status: 412, detail: 'older' });
  });
});
