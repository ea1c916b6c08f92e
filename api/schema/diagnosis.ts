/** Which resource each replica's requests wait for, and what accelerators more or fewer would do. Money is USD; null where it is not known. */
import { z } from '@hono/zod-openapi';
import { demandSchema } from '../../core/domain/deployment.ts';
import { sloTargetsSchema } from '../../core/domain/slo-policy.ts';
import { stepTimeSourceSchema } from '../../core/domain/step-time.ts';
import { timeSchema } from './common.ts';

const resourceSchema = z.enum(['compute', 'bandwidth', 'link', 'host', 'kv-cache', 'queue']).openapi('Resource', {
  description:
    'compute: operations of prompts and answers; bandwidth: reading weights and KV cache; link: all-reduces between the accelerators of a ' +
    'replica; host: scheduling and launching kernels; kv-cache: room for contexts; queue: the admission limit.',
});
const share = (description: string) => z.number().openapi({ description: `${description}, 0 to 1.` });
const factor = z.number().nullable();

const demand = demandSchema.extend({});

export const replicaDiagnosisSchema = z
  .object({
    replicaId: z.string(),
    deployment: z.string(),
    host: z.string(),
    acceleratorKind: z.string(),
    tensorParallel: z.number().int(),
    simulated: z.boolean(),
    stepTimeSource: stepTimeSourceSchema,
    observedSeconds: z.number().openapi({ description: 'Of the window, since it was planned.' }),
    demand: demand.nullable().openapi({ description: 'Requests that ended in that time, and their mean lengths; null where none did.' }),
    attainment: z.number().nullable().openapi({ description: 'Share of the requests that met every target, 0 to 1.' }),
    targetAttainment: z.number().nullable(),
    batch: z.number().openapi({ description: 'Sequences that decode while the engine has anything to do; at least 1.' }),
    decodeStepMs: z.number().openapi({ description: 'A step that only decodes them.' }),
    prefillStepMs: z.number().openapi({ description: 'A step with a piece of a prompt beside them.' }),
    stepShares: z
      .object({
        weights: z.number(),
        kvRead: z.number(),
        compute: z.number(),
        attention: z.number(),
        link: z.number(),
        host: z.number(),
      })
      .openapi({ description: 'Of the time on steps, by term of the step-time model; they add up to 1.' }),
    utilisation: z
      .object({
        compute: share('Of all time'),
        bandwidth: share('Of all time'),
        link: share('Of all time'),
        host: share('Of all time'),
        'kv-cache': share('How full'),
        queue: share('Requests in flight over the admission limit'),
      })
      .openapi({ description: 'What takes time: in how much of it steps wait for that.' }),
    binds: z.union([resourceSchema, z.literal('idle')]),
    why: z.string().openapi({ description: 'What says so, in figures.' }),
    limit: z
      .object({
        requestsPerSecond: z.number(),
        meetsSlo: z
          .boolean()
          .openapi({ description: 'Can its targets be met at all? Where not, the rate is that at which queues stay short.' }),
        binds: resourceSchema,
        withTwice: z
          .object({ compute: factor, bandwidth: factor, link: factor, host: factor, 'kv-cache': factor })
          .openapi({ description: 'The rate with twice of each over the rate; null where only that would let the targets be met.' }),
      })
      .openapi({ description: 'The rate of such requests that it can serve within its SLO, and what keeps it from more.' }),
  })
  .openapi('ReplicaDiagnosis');
export type ReplicaDiagnosisItem = z.infer<typeof replicaDiagnosisSchema>;

const outcomeSchema = z
  .object({
    requestsPerSecond: z.number().openapi({ description: 'Of all ready replicas together, within the SLO where it can be met.' }),
    meetsSlo: z.boolean(),
    ttftMs: z
      .number()
      .nullable()
      .openapi({ description: 'Mean, on such a replica at its share of the demand; null where more comes than it can serve.' }),
    tpotMs: z.number().nullable(),
    usdPerHour: z.number().nullable(),
  })
  .openapi('DiagnosisOutcome');

export const adviceOptionSchema = z
  .object({
    change: z.enum(['add-replica', 'remove-replica', 'widen', 'narrow']),
    acceleratorKind: z.string(),
    tensorParallel: z.number().int().openapi({ description: 'Of the replica that comes, goes or is changed.' }),
    accelerators: z.number().int().openapi({ description: 'More of them; below 0, fewer.' }),
    outcome: outcomeSchema.nullable().openapi({ description: 'null where it is impossible.' }),
    verdict: z.enum(['gains', 'loses', 'saves', 'short', 'impossible']),
    message: z.string(),
  })
  .openapi('AdviceOption');
export type AdviceOptionItem = z.infer<typeof adviceOptionSchema>;

export const adviceSchema = z
  .object({
    deployment: z.string(),
    acceleratorKind: z.string(),
    tensorParallel: z.number().int(),
    targets: sloTargetsSchema.nullable(),
    replicas: z.number().int().openapi({ description: 'Ready ones of this shape.' }),
    allReplicas: z.number().int().openapi({ description: 'Ready ones of the deployment.' }),
    demand: demand.openapi({ description: 'What the replicas answered; where nothing came, what is planned for.' }),
    observed: z.boolean(),
    now: outcomeSchema,
    options: z.array(adviceOptionSchema),
  })
  .openapi('Advice');
export type AdviceItem = z.infer<typeof adviceSchema>;

export const diagnosisSchema = z
  .object({
    windowSeconds: z.number().int(),
    replicas: z.array(replicaDiagnosisSchema).openapi({ description: 'Ready ones, by deployment and id.' }),
    advice: z.array(adviceSchema).openapi({ description: 'By deployment, one for each shape that it has replicas of.' }),
    missing: z
      .array(z.object({ subject: z.string(), reason: z.string(), since: timeSchema }))
      .openapi({ description: 'Deployments of which replicas were lost or have failed for good, and what making them good waits for.' }),
    declined: z.array(z.object({ deployment: z.string(), proposalId: z.string(), reason: z.string() })).openapi({
      description: 'Deployments for which nothing is proposed while an operator has declined it: by whom, when and why, and until when.',
    }),
    unknown: z
      .array(z.object({ replicaId: z.string(), deployment: z.string(), reason: z.string() }))
      .openapi({ description: 'Ready replicas of which too little is known.' }),
  })
  .openapi('Diagnosis');
export type DiagnosisAnswer = z.infer<typeof diagnosisSchema>;
