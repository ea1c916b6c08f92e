import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UellmError } from '../../../core/domain/errors.ts';
import { currentRoutingVersion } from '../../../db/queries/routing.ts';
import { corrections, deployments, proposals } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { aProposal } from '../../../test/support/rows.ts';
import type { AuditResource, DeploymentResource, ListOf, Problem, ProposalResource } from '../../schema/index.ts';
import { proposalResourceSchema } from '../../schema/proposals.ts';

const CHAT = { name: 'chat', model: 'm', engine: { kind: 'simulated' } };

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/models', { name: 'm', source: 'hf://a/b' });
});
afterAll(() => api.close());
beforeEach(async () => {
  for (const table of [proposals, deployments]) await api.db.delete(table);
  api.actions.tellProposal.mockReset();
  await api.call('POST', '/api/v1/deployments', { ...CHAT, mode: 'advise' });
});

const read = async (id: string) => (await api.call<ProposalResource>('GET', `/api/v1/proposals/${id}`)).body;

describe('/api/v1/proposals', () => {
  it('lists them newest first, page by page, by deployment and by state', async () => {
    for (let i = 0; i < 3; i++)
      await aProposal(api.db, { id: `p${i}`, createdAt: new Date(1e12 + i), ...(i === 1 && { deployment: 'other', state: 'noted' }) });
    const ids = async (query: string) => {
      const { body } = await api.call<ListOf<ProposalResource>>('GET', `/api/v1/proposals?${query}`);
      return { ids: body.items.map((p) => p.id), next: body.next };
    };
    const first = await ids('limit=2');
    expect(first.ids).toEqual(['p2', 'p1']);
    expect((await ids(`limit=2&cursor=${first.next}`)).ids).toEqual(['p0']);
    expect((await ids('deployment=other')).ids).toEqual(['p1']);
    expect((await ids('state=open')).ids).toEqual(['p2', 'p0']);
    expect((await api.call('GET', '/api/v1/proposals?state=maybe')).status).toBe(422);
    const one = await read('p2');
    expect(proposalResourceSchema.parse(one)).toEqual(one);
    expect((await api.call('GET', '/api/v1/proposals/nothing')).status).toBe(404);
  });

  it('takes a decision once, with who and why, and tells the workflow', async () => {
    await aProposal(api.db, { id: 'p1' });
    const { status, body, headers } = await api.call<ProposalResource>('POST', '/api/v1/proposals/p1/approve', { reason: 'looks right' });
    expect([status, headers.get('location')]).toEqual([202, '/api/v1/proposals/p1']);
    expect(body).toMatchObject({ state: 'approved', decidedBy: expect.any(String), decidedAt: expect.any(String), outcome: 'looks right' });
    expect(api.actions.tellProposal.mock.calls).toEqual([['p1']]);
    for (const decision of ['approve', 'decline']) {
      const again = await api.call<Problem>('POST', `/api/v1/proposals/p1/${decision}`);
      expect([again.status, again.body.detail]).toEqual([409, expect.stringMatching(/is approved/)]);
    }
    const { items } = (await api.call<ListOf<AuditResource>>('GET', '/api/v1/audit?kind=proposals')).body;
    expect(items).toMatchObject([{ action: 'approve', name: 'p1', after: { state: 'approved', reason: 'looks right' } }]);
  });

  it.each(['noted', 'withdrawn', 'expired', 'outdated', 'done'] as const)('lets nobody decide one that is %s', async (state) => {
    await aProposal(api.db, { id: 'p1', state });
    for (const decision of ['approve', 'decline']) expect((await api.call('POST', `/api/v1/proposals/p1/${decision}`)).status).toBe(409);
    expect((await read('p1')).state).toBe(state);
  });

  it('says of one of shadow mode why there is nothing to decide', async () => {
    await aProposal(api.db, { id: 'p1', state: 'noted' });
    const { body } = await api.call<Problem>('POST', '/api/v1/proposals/p1/approve');
    expect(body.detail).toBe("proposal 'p1': is only noted: in shadow mode nothing is decided");
  });

  it('lets nobody decide one whose time is over', async () => {
    await aProposal(api.db, { id: 'p1', expiresAt: new Date(Date.now() - 1) });
    const { status, body } = await api.call<Problem>('POST', '/api/v1/proposals/p1/approve');
    expect([status, body.detail]).toEqual([409, expect.stringMatching(/has expired/)]);
  });

  it('changes nothing while Temporal is away', async () => {
    await aProposal(api.db, { id: 'p1' });
    api.actions.tellProposal.mockRejectedValue(new UellmError({ kind: 'unavailable', what: 'Temporal', reason: 'away' }));
    expect((await api.call('POST', '/api/v1/proposals/p1/approve')).status).toBe(503);
    expect((await read('p1')).state).toBe('open');
  });

  it('gives a correction up with the proposal that would have carried it out', async () => {
    const [row] = await api.db
      .insert(corrections)
      .values({ kind: 'out-of-memory', subject: 'r1', evidence: {}, action: 'a new shape', state: 'kept' })
      .returning();
    await aProposal(api.db, { id: 'p1', kind: 'reshape', correctionId: row!.id });
    await api.call('POST', '/api/v1/proposals/p1/decline', { reason: 'next week' });
    const [after] = await api.db.select().from(corrections).where(eq(corrections.id, row!.id));
    expect(after).toMatchObject({ state: 'failed', undoReason: 'declined: next week' });
  });
});

describe('the mode of a deployment', () => {
  const put = (mode: string, headers: Record<string, string> = {}) =>
    api.call<DeploymentResource & Problem>('PUT', '/api/v1/deployments/chat', { ...CHAT, mode }, headers);

  it('is auto unless declared, and names what is allowed', async () => {
    expect((await api.call('POST', '/api/v1/deployments', { ...CHAT, name: 'plain' })).body).toMatchObject({ mode: 'auto' });
    const { status, body } = await put('manual');
    expect([status, body.issues]).toEqual([
      422,
      [{ field: 'mode', given: '"manual"', allowed: expect.stringMatching(/shadow.*advise.*auto/) }],
    ]);
  });

  it('changes as any write does: audited, by version, told to gateways, and without a rollout', async () => {
    await api.db.execute(`insert into revisions (deployment, number, spec) select name, 1, spec from deployments where name = 'chat'
      on conflict do nothing`);
    await api.db.update(deployments).set({ latestRevision: 1, currentRevision: 1 });
    const before = await api.call<DeploymentResource>('GET', '/api/v1/deployments/chat');
    const version = await currentRoutingVersion(api.db);
    expect((await put('shadow', { 'if-match': '"99"' })).status).toBe(412);
    const { body } = await put('shadow', { 'if-match': before.headers.get('etag')! });
    expect(body).toMatchObject({ mode: 'shadow', status: { pendingChange: false } });
    expect(Date.parse(body.status.modeSince)).toBeGreaterThan(Date.parse(before.body.status.modeSince));
    expect(await currentRoutingVersion(api.db)).toBe(version + 1);
    const { items } = (await api.call<ListOf<AuditResource>>('GET', '/api/v1/audit?kind=deployments&name=chat')).body;
    expect(items[0]).toMatchObject({ action: 'replace', before: { mode: 'advise' }, after: { mode: 'shadow' } });
    // Another change leaves gateways and the time alone.
    const more = await api.call<DeploymentResource>('PUT', '/api/v1/deployments/chat', {
      ...CHAT,
      mode: 'shadow',
      replicas: { min: 1, max: 2 },
    });
    expect(more.body.status).toMatchObject({ modeSince: body.status.modeSince, pendingChange: true });
    expect(await currentRoutingVersion(api.db)).toBe(version + 1);
  });

  it('takes back what was proposed under another, even while Temporal is away', async () => {
    await aProposal(api.db, { id: 'p1' });
    await aProposal(api.db, { id: 'p2', state: 'approved' });
    api.actions.tellProposal.mockRejectedValue(new UellmError({ kind: 'unavailable', what: 'Temporal', reason: 'away' }));
    expect((await put('auto')).status).toBe(200);
    expect(await read('p1')).toMatchObject({ state: 'withdrawn', outcome: 'the deployment is in auto mode now' });
    expect((await read('p2')).state).toBe('approved');
    expect(api.actions.tellProposal.mock.calls).toEqual([['p1']]);
  });

  it('and its proposals end with it', async () => {
    await aProposal(api.db, { id: 'p1' });
    expect((await api.call('DELETE', '/api/v1/deployments/chat')).status).toBe(204);
    expect((await read('p1')).state).toBe('withdrawn');
  });
});
