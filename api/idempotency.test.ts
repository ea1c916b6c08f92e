import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UellmError } from '../core/domain/errors.ts';
import { pruneIdempotentAnswers } from '../db/queries/idempotent-answers.ts';
import { createTestApi, type TestApi } from '../test/support/api.ts';

let api: TestApi;
let other: string;
beforeAll(async () => {
  api = await createTestApi({ apiKeys: ['root'] });
  other = (await post('keys', { role: 'admin' }, null)).body.secret as string;
});
afterAll(() => api.close());
beforeEach(() => api.actions.startRebalance.mockClear());

const post = (path: string, body: unknown, key: string | null, by = 'root') =>
  api.call('POST', `/api/v1/${path}`, body, { authorization: `Bearer ${by}`, ...(key === null ? {} : { 'idempotency-key': key }) });
const policy = (name: string, ttftMs = 500) => ({ name, targets: { ttftMs } });
const audited = async (name: string) =>
  (await api.call<{ items: unknown[] }>('GET', `/api/v1/audit?name=${name}`, undefined, { authorization: 'Bearer root' })).body.items
    .length;

describe('a POST with an Idempotency-Key', () => {
  it('is answered again as at first, and done once', async () => {
    const first = await post('slo-policies', policy('once'), 'k-once');
    const again = await post('slo-policies', policy('once'), 'k-once');
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    for (const name of ['etag', 'location', 'content-type']) expect(again.headers.get(name)).toBe(first.headers.get(name));
    expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([null, 'true']);
    expect(await audited('once')).toBe(1);
  });

  it('starts one workflow', async () => {
    const started = [await post('rebalances', { dryRun: true }, 'k-flow'), await post('rebalances', { dryRun: true }, 'k-flow')];
    expect(started[1]?.body).toEqual(started[0]?.body);
    expect(api.actions.startRebalance).toHaveBeenCalledTimes(1);
  });

  it('is refused the same way again, whatever has changed since', async () => {
    await post('slo-policies', policy('twice'), null);
    const refused = await post('slo-policies', policy('twice'), 'k-twice');
    await api.call('DELETE', '/api/v1/slo-policies/twice', undefined, { authorization: 'Bearer root' });
    expect(await post('slo-policies', policy('twice'), 'k-twice')).toMatchObject({ status: refused.status, body: refused.body });
    expect(refused.status).toBe(409);
  });

  it.each([
    ['another body', 'slo-policies', policy('same', 501)],
    ['another address', 'tenants', policy('same')],
  ])('takes no %s under its key', async (_, path, body) => {
    await post('slo-policies', policy('same'), 'k-same');
    expect(await post(path, body, 'k-same')).toMatchObject({ status: 422, body: { issues: [{ field: 'Idempotency-Key' }] } });
  });

  it('does not meet the keys of others', async () => {
    expect((await post('slo-policies', policy('mine'), 'k-shared')).status).toBe(201);
    expect((await post('slo-policies', policy('theirs'), 'k-shared', other)).status).toBe(201);
  });

  it('of which the first is not answered yet is refused, and not done', async () => {
    let finish = () => {};
    api.actions.startRebalance.mockImplementationOnce(() => new Promise((resolve) => (finish = resolve)));
    const first = post('rebalances', { dryRun: true }, 'k-slow');
    await expect.poll(() => api.actions.startRebalance.mock.calls.length).toBe(1);
    expect(await post('rebalances', { dryRun: true }, 'k-slow')).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('not answered') },
    });
    finish();
    expect((await first).status).toBe(202);
    expect((await post('rebalances', { dryRun: true }, 'k-slow')).body).toEqual((await first).body);
  });

  it('that failed may be asked again', async () => {
    api.actions.startRebalance.mockRejectedValueOnce(new UellmError({ kind: 'unavailable', what: 'Temporal', reason: 'away' }));
    expect((await post('rebalances', { dryRun: true }, 'k-failed')).status).toBe(503);
    expect((await post('rebalances', { dryRun: true }, 'k-failed')).status).toBe(202);
  });

  it('that made a key says which, and keeps no secret', async () => {
    const made = await post('keys', { role: 'viewer' }, 'k-secret');
    expect(made.status).toBe(201);
    const again = await post('keys', { role: 'viewer' }, 'k-secret');
    expect(again).toMatchObject({ status: 409, body: { detail: expect.stringContaining(`/api/v1/keys/${made.body.id},`) } });
    const { rows } = await api.db.execute<{ whole: string }>('select row_to_json(i)::text as whole from idempotent_answers i');
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(made.body.secret);
  });

  it('is new again after a day', async () => {
    await post('rebalances', { dryRun: true }, 'k-old');
    await api.db.execute("update idempotent_answers set created_at = now() - interval '25 hours' where key = 'k-old'");
    expect((await post('rebalances', { dryRun: false }, 'k-old')).status).toBe(202);
    await api.db.execute("update idempotent_answers set created_at = now() - interval '25 hours' where key = 'k-old'");
    expect([await pruneIdempotentAnswers(api.db), await pruneIdempotentAnswers(api.db)]).toEqual([1, 0]);
  });

  it.each(['', 'with space', 'k'.repeat(256)])('has one that can be kept, and not %j', async (key) => {
    expect(await post('slo-policies', policy('x'), key)).toMatchObject({ status: 422, body: { issues: [{ field: 'Idempotency-Key' }] } });
  });
});
