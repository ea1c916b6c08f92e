/**
 * Routing from a file, for a gateway alone: replicas and policies in YAML or JSON, no Postgres, no Temporal. The file is looked at every
 * second; what changed is in force then, and an edit that is not valid leaves the last valid one in force.
 *
 *   replicas:
 *     - { endpoint: 'http://10.0.0.5:8000', model: llama-3.1-8b, accelerator: H100-SXM }
 *     - { endpoint: 'http://10.0.0.6:8000', model: llama-3.1-8b, engine: triton, tokenizer: /models/llama-3.1-8b }
 *     - { endpoint: 'http://10.0.0.7:8000', model: llama-3.1-8b, servedAs: meta-llama/Llama-3.1-8B-Instruct }
 *   aliases: { gpt-4o-mini: llama-3.1-8b }
 *   policies:
 *     - { name: chat, match: { class: interactive }, targets: { ttftMs: 500, tpotMs: 50 }, priority: 100 }
 *   tenants:
 *     - { name: acme, weight: 3, limits: { tokensPerMinute: 200000 } }
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Logger } from 'pino';
import { parse } from 'yaml';
import { z } from 'zod';
import { acceleratorKindSchema } from '../../core/domain/accelerators.ts';
import { engineKindSchema } from '../../core/domain/deployment.ts';
import { engineBaseUrl, engineUrlSchema } from '../../core/domain/engine-url.ts';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { nameSchema } from '../../core/domain/names.ts';
import { batchingSchema, type ChatTemplate, chatTemplateSchema, type RoutedReplica } from '../../core/domain/routing.ts';
import { sloPolicySchema } from '../../core/domain/slo-policy.ts';
import { measuredStepTime, stepTimeCoefficientsSchema } from '../../core/domain/step-time.ts';
import { tenantSchema } from '../../core/domain/tenant.ts';
import { parseInput } from '../../core/domain/validate.ts';
import { readChatTemplate } from '../../engines/triton/chat-template.ts';
import type { RoutingSource, RoutingView } from './routing.ts';

/** As engines and their clients name models: `meta-llama/Llama-3.1-8B-Instruct`, `gpt-4o-mini`. */
const SERVED_NAME = 'up to 200 printable characters without blanks';
const servedNameSchema = z.string().regex(/^[\x21-\x7e]{1,200}$/, SERVED_NAME);

const fileReplicaSchema = z.strictObject({
  /** Base URL of an OpenAI-compatible server, or of Triton. */
  endpoint: engineUrlSchema,
  model: nameSchema,
  /** The name that its engine knows, where that is another. */
  servedAs: servedNameSchema.optional(),
  /** The model's name where absent. */
  deployment: nameSchema.optional(),
  /** Made of the deployment and its place in the file where absent. */
  id: nameSchema.optional(),
  engine: engineKindSchema.default('vllm'),
  /** For Triton, how chats are written: as this says, or as the files of the model in a folder do (relative to this file). */
  chat: chatTemplateSchema.strict().optional(),
  tokenizer: z.string().min(1).optional(),
  revision: z.number().int().nonnegative().default(1),
  weight: z.number().nonnegative().default(100),
  maxInFlight: z.number().int().positive().max(100_000).default(256),
  batching: batchingSchema.default('continuous'),
  /** Tokens that its KV cache holds; vLLM prints it at its start. */
  kvCacheTokens: z.number().int().positive().default(400_000),
  /** Its kind tells how long its steps take, where that was measured for the model; or give the coefficients. */
  accelerator: acceleratorKindSchema.optional(),
  tensorParallel: z.number().int().positive().default(1),
  stepTime: stepTimeCoefficientsSchema.strict().optional(),
  simulated: z.boolean().default(false),
});

const unique = (values: readonly string[]) => new Set(values).size === values.length;

const gatewayFileSchema = z.strictObject({
  replicas: z
    .array(fileReplicaSchema)
    .min(1)
    .refine((replicas) => unique(replicas.map(replicaId)), 'replicas with different ids'),
  policies: z
    .array(sloPolicySchema)
    .refine((policies) => unique(policies.map((p) => p.name)), 'policies with different names')
    .default([]),
  aliases: z.record(z.string(), nameSchema).default({}),
  tenants: z
    .array(tenantSchema)
    .refine((tenants) => unique(tenants.map((t) => t.name)), 'tenants with different names')
    .default([]),
});

/** Where nothing is known of an engine: an 8B model on an A100, the slower side of common. */
const UNKNOWN_STEP_TIME = measuredStepTime('llama-3.1-8b', 'A100-80G-SXM', 1)!.coefficients;

const LOOK_EVERY_MS = 1000;

/** @param version rises with each change of the file. @throws invalid-input that names the field */
export async function parseGatewayFile(text: string, where: string, version: number): Promise<RoutingView> {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    const issue = { field: '', given: messageOf(error).split('\n')[0] ?? '', allowed: 'YAML or JSON' };
    throw new UellmError({ kind: 'invalid-input', what: where, issues: [issue] });
  }
  const file = parseInput(gatewayFileSchema, document, where);
  const chats = await Promise.all(file.replicas.map((replica, index) => chatOf(replica, index, where)));
  const replicas = file.replicas.map(
    (replica, index): RoutedReplica => ({
      replicaId: replicaId(replica, index),
      generation: 1,
      deployment: replica.deployment ?? replica.model,
      revision: replica.revision,
      model: replica.model,
      host: new URL(replica.endpoint).host,
      engine: replica.engine,
      endpoint: engineBaseUrl(replica.endpoint),
      ...(replica.servedAs !== undefined && { servedAs: replica.servedAs }),
      weight: replica.weight,
      maxInFlight: replica.maxInFlight,
      stepTime: replica.stepTime ?? knownStepTime(replica) ?? UNKNOWN_STEP_TIME,
      kvCacheTokens: replica.kvCacheTokens,
      chat: chats[index] ?? null,
      batching: replica.batching,
      simulated: replica.simulated,
    }),
  );
  return { table: { version, replicas, policies: file.policies, tenants: file.tenants }, deployments: [], aliases: aliasesOf(file, where) };
}

/** Reads the file once, so that a wrong one is refused at the start. @throws invalid-input */
export async function fileRouting(path: string, logger: Logger): Promise<RoutingSource> {
  const read = async (version: number) => parseGatewayFile(await readText(path), path, version);
  // Before it is read: an edit meanwhile is one that has not been seen.
  let seen = await modified(path);
  let view = await read(1);
  let timer: NodeJS.Timeout | null = null;
  let isReading = false;
  const readAgain = async (apply: (view: RoutingView) => void) => {
    const now = await modified(path);
    if (now === null || now === seen) return;
    seen = now;
    try {
      view = await read(view.table.version + 1);
      if (timer === null) return;
      apply(view);
      logger.info({ replicas: view.table.replicas.length }, 'the gateway file has changed and is in force');
    } catch (error) {
      logger.error({ error: messageOf(error) }, 'the gateway file has changed and is not valid: the last valid one stays in force');
    }
  };
  return {
    start(apply) {
      apply(view);
      timer = setInterval(async () => {
        // On a slow disk a reading may take longer: an older one must not follow a newer one.
        if (isReading) return;
        isReading = true;
        await readAgain(apply).finally(() => {
          isReading = false;
        });
      }, LOOK_EVERY_MS);
      timer.unref();
    },
    async close() {
      if (timer) clearInterval(timer);
      timer = null;
    },
  };
}

/** Each for a name that is served, none that hides one, and all fit for a header or a log. */
function aliasesOf({ aliases, replicas }: z.output<typeof gatewayFileSchema>, where: string): Record<string, string> {
  const names = new Set(replicas.flatMap(({ deployment, model }) => [deployment ?? model, model]));
  const issues = Object.entries(aliases).flatMap(([alias, name]) => {
    if (!names.has(name)) return [{ field: `aliases.${alias}`, given: JSON.stringify(name), allowed: `one of ${[...names].join(', ')}` }];
    const refuse = (allowed: string) => [{ field: `aliases.${alias}`, given: JSON.stringify(alias), allowed }];
    if (!servedNameSchema.safeParse(alias).success) return refuse(SERVED_NAME);
    return names.has(alias) ? refuse('a name that no replica has') : [];
  });
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: where, issues });
  return aliases;
}

function replicaId(replica: z.output<typeof fileReplicaSchema>, index: number): string {
  return replica.id ?? `${replica.deployment ?? replica.model}-${index + 1}`;
}

async function chatOf({ chat, tokenizer }: z.output<typeof fileReplicaSchema>, index: number, where: string): Promise<ChatTemplate | null> {
  if (chat || tokenizer === undefined) return chat ?? null;
  const read = await readChatTemplate(resolve(dirname(where), tokenizer));
  if (read) return read;
  const issue = { field: `replicas[${index}].tokenizer`, given: JSON.stringify(tokenizer), allowed: 'a folder with a chat template' };
  throw new UellmError({ kind: 'invalid-input', what: where, issues: [issue] });
}

function knownStepTime({ model, accelerator, tensorParallel }: z.output<typeof fileReplicaSchema>): RoutedReplica['stepTime'] | undefined {
  return accelerator === undefined ? undefined : measuredStepTime(model, accelerator, tensorParallel)?.coefficients;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const issue = { field: '', given: messageOf(error), allowed: 'a file that can be read' };
    throw new UellmError({ kind: 'invalid-input', what: path, issues: [issue] }, { cause: error });
  }
}

/** What changes with every edit; null while the file is away. */
async function modified(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  return found && `${found.mtimeMs}-${found.size}-${found.ino}`;
}
