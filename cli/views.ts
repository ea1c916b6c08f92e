/** How each collection looks as a table: the columns, and a row for an object. */
import type { Collection, Collections } from '../api/client.ts';
import type { HostResource, ReplicaResource } from '../api/schema/index.ts';
import { declinedInWords } from '../core/domain/proposal.ts';
import { usd } from './cost-text.ts';
import { toneOf } from './output/colour.ts';
import { age, billions, ms, NONE, percent } from './output/figures.ts';
import type { Row } from './output/table.ts';

interface View<T> {
  header: readonly string[];
  row(object: T, now: number): Row;
}

const state = (text: string) => ({ text, tone: toneOf(text) });
/** `12/60`; what was used alone where there is no limit. */
const ofLimit = (used: number | null, limit: number | undefined) =>
  used === null && limit === undefined ? NONE : `${used ?? 0}${limit === undefined ? '' : `/${limit}`}`;
const list = (items: readonly (string | number)[]) => items.join(',') || NONE;

export const VIEWS: { [C in Collection]: View<Collections[C]> } = {
  hosts: {
    header: ['NAME', 'ACCELERATORS', 'IN USE', 'REPLICAS', 'LIVENESS', 'SERVICE', 'ENGINES', 'REASON'],
    row: ({ name, accelerators, simulated, external, status }) => [
      name,
      accelerators.map((group) => `${group.count} ${group.kind}`).join(', '),
      `${status.accelerators.claimed}/${status.accelerators.total}`,
      String(status.replicas),
      external ? NONE : state(status.liveness),
      status.service === 'schedulable' ? status.service : { text: status.service, tone: 'busy' },
      simulated ? { text: 'SIMULATED', tone: 'busy' } : external ? 'external' : 'own',
      hostNote(status),
    ],
  },
  models: {
    header: ['NAME', 'SOURCE', 'DTYPE', 'PARAMETERS', 'DEPLOYMENTS'],
    row: ({ name, source, dtype, status }) => [
      name,
      source,
      dtype,
      status.shape ? billions(status.shape.parameters) : NONE,
      list(status.deployments),
    ],
  },
  'slo-policies': {
    header: ['NAME', 'MODEL', 'TENANT', 'CLASS', 'TTFT', 'TPOT', 'E2E', 'ATTAINMENT', 'PRIORITY', 'VERSION'],
    row: ({ name, match, targets, priority, status }) => [
      ...[name, match.model, match.tenant, match.class, ms(targets.ttftMs), ms(targets.tpotMs), ms(targets.e2eMs)],
      ...[percent(targets.attainment), String(priority), String(status.version)],
    ],
  },
  tenants: {
    header: ['NAME', 'FEATURES', 'WEIGHT', 'REQ/MIN', 'TOKENS/MIN', 'IN FLIGHT', 'TOKENS TODAY', 'VERSION'],
    row: ({ name, features, weight = 1, limits = {}, status: { use, version } }) => [
      ...[name, features, String(weight)],
      ofLimit(use.requestsPerMinute, limits.requestsPerMinute),
      ofLimit(use.tokensPerMinute, limits.tokensPerMinute),
      ofLimit(use.requestsInFlight, limits.requestsInFlight),
      ofLimit(use.tokensToday, limits.tokensPerDay),
      String(version),
    ],
  },
  deployments: {
    header: ['NAME', 'MODEL', 'ENGINE', 'MODE', 'READY', 'WANTED', 'REVISION', 'ROLLOUT', 'NOTE'],
    row: ({ name, model, engine, mode, replicas, status }) => [
      name,
      model,
      engine.kind,
      mode === 'auto' ? mode : { text: mode, tone: 'busy' },
      `${status.replicas.ready}/${status.replicas.living}`,
      `${replicas.min}-${replicas.max}`,
      status.currentRevision === null ? NONE : String(status.currentRevision),
      status.rollout ? state(status.rollout.phase) : NONE,
      status.pendingChange ? `not rolled out yet: uellm deploy ${name}` : '',
    ],
  },
  replicas: {
    header: ['ID', 'DEPLOYMENT', 'REV', 'HOST', 'ACCELERATORS', 'STATE', 'WEIGHT', 'GEN', 'ENGINE', 'ENDPOINT', 'REASON'],
    row: ({ id, deployment, revision, host, accelerators, engine, endpoint, generation, simulated, ...replica }) => [
      ...[id, deployment, String(revision), host, `${replica.status.acceleratorKind} ${list(accelerators)}`],
      state(shownState(replica)),
      ...[
        String(replica.status.weight),
        String(generation),
        simulated && engine !== 'simulated' ? `${engine} (simulated)` : engine,
        endpoint ?? NONE,
      ],
      replica.status.unreachable ?? replica.status.reason,
    ],
  },
  plans: {
    header: ['ID', 'PURPOSE', 'SUBJECT', 'STATE', 'MOVES', 'WAITING', 'AGE', 'SUMMARY'],
    row: (plan, now) => [
      ...[plan.id, plan.purpose, plan.subject],
      state(plan.state),
      ...[String(plan.moves.length), String(plan.report.waiting.length), age(plan.createdAt, now), plan.report.summary],
    ],
  },
  proposals: {
    header: ['ID', 'DEPLOYMENT', 'KIND', 'STATE', 'AGE', 'USD/H', 'WOULD BE', 'SUMMARY', 'OUTCOME'],
    row: (proposal, now) => [
      ...[proposal.id, proposal.deployment, proposal.kind],
      state(proposal.state),
      age(proposal.createdAt, now),
      ...[usd(proposal.outlook?.before.usdPerHour ?? null), usd(proposal.outlook?.after.usdPerHour ?? null), proposal.summary],
      proposal.state === 'declined' ? declinedInWords(proposal, now) : proposal.outcome,
    ],
  },
  rollouts: {
    header: ['ID', 'DEPLOYMENT', 'REV', 'PHASE', 'STAGE', 'AGE', 'REASON'],
    row: ({ id, deployment, revision, status, startedAt }, now) => [
      ...[id, deployment, String(revision)],
      state(status.phase),
      ...[status.stage, age(startedAt, now), status.reason],
    ],
  },
  observations: {
    header: ['ID', 'AGE', 'DEPLOYMENT', 'CLASS', 'TENANT', 'OUTCOME', 'IN', 'OUT', 'PREDICTED', 'TTFT', 'TPOT', 'E2E', 'IN SLO'],
    row: (o, now) => [
      ...[String(o.id), age(o.acceptedAt, now), o.deployment, o.class, o.tenant],
      state(o.outcome),
      ...[
        String(o.inputTokens),
        String(o.outputTokens ?? NONE),
        o.predictedOutputP50 === null ? NONE : String(Math.round(o.predictedOutputP50)),
      ],
      ...[ms(o.ttftMs), ms(o.tpotMs), ms(o.e2eMs)],
      o.attained === null ? NONE : o.attained ? { text: 'yes', tone: 'good' } : { text: 'no', tone: 'bad' },
    ],
  },
  corrections: {
    header: ['ID', 'KIND', 'SUBJECT', 'ACTION', 'STATE', 'BEFORE', 'AFTER', 'AGE', 'UNDONE', 'WHY UNDONE'],
    row: (c, now) => [
      ...[String(c.id), c.kind, c.subject, c.action],
      state(c.state),
      ...[percent(c.attainmentBefore), percent(c.attainmentAfter), age(c.createdAt, now)],
      ...[c.undoneAt ? age(c.undoneAt, now) : NONE, c.undoReason ?? ''],
    ],
  },
  audit: {
    header: ['ID', 'AGE', 'ACTOR', 'ACTION', 'KIND', 'NAME'],
    row: (entry, now) => [String(entry.id), age(entry.at, now), entry.actor, entry.action, entry.kind, entry.name],
  },
  keys: {
    header: ['ID', 'BEGINS', 'NAME', 'ROLE', 'TENANT', 'STATE', 'AGE', 'LAST USED', 'EXPIRES', 'MADE BY'],
    row: (key, now) => [
      ...[String(key.id), key.prefix, key.name ?? NONE, key.role, key.tenant ?? 'all'],
      key.state === 'active' ? state(key.state) : { text: key.state, tone: 'bad' },
      ...[age(key.createdAt, now), key.lastUsedAt ? `${age(key.lastUsedAt, now)} ago` : NONE, key.expiresAt ?? NONE, key.createdBy],
    ],
  },
};

/** `unreachable` in place of the `ready` of a replica that a gateway gets no answer from. */
export function shownState({ state, status }: Pick<ReplicaResource, 'state' | 'status'>): string {
  return state === 'ready' && status.unreachable !== null ? 'unreachable' : state;
}

/** Why it is in this state, and what its own tools say that was not declared. */
export function hostNote({ reason, inventory }: HostResource['status']): string {
  return [reason, inventory?.difference, ...(inventory?.problems ?? []).map((p) => `${p.tool}: ${p.message}`)].filter(Boolean).join('; ');
}
