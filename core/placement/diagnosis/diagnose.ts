/**
 * Bottlenecks: which resource each replica's requests wait for, and what accelerators more or fewer would do about it.
 *
 * `step-terms.ts` takes the step-time model apart, `time-use.ts` says what the time went to at the load that was seen, `binding.ts` what of it binds,
 * `limit.ts` what keeps the replica from more, `advice.ts` what one change would do. Takes some ms a replica: it is for a thread of its own.
 */
import { findAcceleratorKind } from '../../domain/accelerators.ts';
import { intraHostLink } from '../../domain/links.ts';
import { workloadOf } from '../capacity/workload.ts';
import { compareText } from '../rank.ts';
import { openShapeBook, type ShapeBook } from '../shapes.ts';
import type { DeploymentDemand } from '../types.ts';
import { type Advised, adviceFor, type Placed } from './advice.ts';
import { bindingNow } from './binding.ts';
import { limitOf } from './limit.ts';
import { splitStepTime } from './step-terms.ts';
import { timeUse } from './time-use.ts';
import type { Advice, Diagnosis, DiagnosisInput, ObservedReplica, ReplicaDiagnosis } from './types.ts';

export type { Diagnosis, DiagnosisInput } from './types.ts';

export function diagnose({ fleet, replicas, deployment }: DiagnosisInput): Diagnosis {
  const book = openShapeBook(fleet);
  const asked = replicas
    .filter((r) => deployment === undefined || r.deployment === deployment)
    .sort((a, b) => compareText(a.deployment, b.deployment) || compareText(a.replicaId, b.replicaId));
  const known: Known[] = [];
  const unknown: Diagnosis['unknown'] = [];
  for (const replica of asked) {
    const found = lookUp(fleet, book, replica);
    if (typeof found === 'string') unknown.push({ replicaId: replica.replicaId, deployment: replica.deployment, reason: found });
    else known.push(found);
  }
  const names = [...new Set(known.map((k) => k.replica.deployment))];
  return {
    replicas: known.map((k) => diagnoseReplica(fleet, k)),
    advice: names.flatMap((name) =>
      adviceOn(
        known.filter((k) => k.replica.deployment === name),
        fleet,
      ),
    ),
    unknown,
  };
}

interface Known extends Placed {
  replica: ObservedReplica;
  deployment: DeploymentDemand;
}

/** @returns the reason where something of it is not known */
function lookUp(fleet: DiagnosisInput['fleet'], book: ShapeBook, replica: ObservedReplica): Known | string {
  const deployment = fleet.deployments.find((d) => d.spec.name === replica.deployment);
  const host = fleet.hosts.find((h) => h.name === replica.host);
  if (!deployment) return `${replica.deployment} serves no revision yet`;
  if (!host) return `host ${replica.host} is not known`;
  if (!fleet.models[replica.model]) return `nothing is known of the model ${replica.model}`;
  const shape = book.shape(deployment, host, replica.acceleratorKind, replica.tensorParallel);
  return shape
    ? { replica, deployment, host, shape }
    : `${replica.model} is not known to fit ${replica.tensorParallel} ${replica.acceleratorKind}`;
}

function diagnoseReplica({ models }: DiagnosisInput['fleet'], { replica, deployment, host, shape }: Known): ReplicaDiagnosis {
  const { replicaId, acceleratorKind, tensorParallel, simulated, observedSeconds, demand, judged, attained } = replica;
  const { targets, variations = {} } = deployment;
  const accelerator = findAcceleratorKind(acceleratorKind)!;
  const link = intraHostLink(host.links, accelerator).bandwidthBytesPerSecond;
  const stepTime = replica.stepTime ?? shape.speed.stepTime;
  const split = splitStepTime(stepTime, models[replica.model]!, accelerator, tensorParallel, link);
  const kvCacheTokens = replica.kvCacheTokens ?? shape.speed.kvCacheTokens;
  const lengths = demand ?? deployment.demand;
  const workload = workloadOf({ stepTime, kvCacheTokens }, lengths, variations);
  const use = timeUse(split, workload, { ...replica, requestsPerSecond: demand?.requestsPerSecond ?? 0 }, variations);
  const kvUsage = replica.kvUsage ?? (replica.inEngine * workload.contextTokens) / kvCacheTokens;
  return {
    ...{ replicaId, deployment: replica.deployment, host: replica.host, acceleratorKind, tensorParallel, simulated },
    stepTimeSource: replica.stepTime ? 'calibrated' : shape.stepTimeSource,
    ...{ observedSeconds, demand, attainment: judged > 0 ? attained / judged : null, targetAttainment: targets?.attainment ?? null },
    ...{ batch: use.batch, decodeStepMs: use.decodeStepMs, prefillStepMs: use.prefillStepMs, stepShares: use.terms },
    ...bindingNow(replica, use, kvUsage, targets),
    limit: limitOf(split, kvCacheTokens, lengths, targets, variations, replica.admissionLimit),
  };
}

/** For what its replicas answered; where nothing came, for what is planned. */
function adviceOn(known: readonly Known[], fleet: DiagnosisInput['fleet']): Advice[] {
  const [{ deployment }] = known as [Known];
  const seen = known.flatMap((k) => k.replica.demand ?? []);
  const requestsPerSecond = seen.reduce((sum, d) => sum + d.requestsPerSecond, 0);
  const mean = (field: 'inputTokens' | 'outputTokens') =>
    seen.reduce((sum, d) => sum + d[field] * d.requestsPerSecond, 0) / requestsPerSecond;
  const observed = requestsPerSecond > 0;
  const demand = observed ? { requestsPerSecond, inputTokens: mean('inputTokens'), outputTokens: mean('outputTokens') } : deployment.demand;
  const asAsked = { ...deployment, demand };
  // Shapes at these lengths: the book keeps those at the lengths that are planned for.
  const book = openShapeBook({ models: fleet.models, stepTimes: fleet.stepTimes });
  const placed = known.flatMap(({ replica, host }) => {
    const shape = book.shape(asAsked, host, replica.acceleratorKind, replica.tensorParallel);
    return shape ? [{ replica, host, shape }] : [];
  });
  const advised: Advised = { deployment: asAsked, observed, placed };
  return adviceFor(advised, book, fleet.prices);
}
