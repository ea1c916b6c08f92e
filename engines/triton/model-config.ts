/**
 * What Triton is told of a replica's model. One model a server, named after the deployment; its version is the replica's generation, so that
 * a newer generation can be loaded beside an older one. Inputs and outputs are left to the backend, which completes them.
 * Source: triton-inference-server/common, protobuf/model_config.proto; vllm_backend, README.
 */
import { isAbsolute } from 'node:path';
import { type FieldIssue, UellmError } from '../../core/domain/errors.ts';
import type { EngineSpec } from '../driver.ts';
import { localModelPath, parseHubSource } from '../weights/source.ts';

export interface ModelConfig {
  backend: string;
  max_batch_size: 0;
  model_transaction_policy: { decoupled: true };
  instance_group: { count: 1; kind: 'KIND_MODEL' }[];
  parameters: Record<string, { string_value: string }>;
  version_policy: { specific: { versions: number[] } };
}

/** The backend batches by itself, takes the accelerators that its process sees, and reports its metrics through Triton's. */
export function modelConfig(spec: EngineSpec): ModelConfig {
  return {
    backend: backendOf(spec).name,
    max_batch_size: 0,
    model_transaction_policy: { decoupled: true },
    instance_group: [{ count: 1, kind: 'KIND_MODEL' }],
    parameters: { REPORT_CUSTOM_METRICS: { string_value: 'true' } },
    version_policy: { specific: { versions: [spec.generation] } },
  };
}

/** The same as the `config.pbtxt` of a model repository. */
export function modelConfigText(config: ModelConfig): string {
  const parameters = Object.entries(config.parameters).map(
    ([key, value]) => `parameters { key: ${JSON.stringify(key)} value { string_value: ${JSON.stringify(value.string_value)} } }`,
  );
  return `${[
    `backend: ${JSON.stringify(config.backend)}`,
    `max_batch_size: ${config.max_batch_size}`,
    `model_transaction_policy { decoupled: ${config.model_transaction_policy.decoupled} }`,
    ...config.instance_group.map(({ count, kind }) => `instance_group { count: ${count} kind: ${kind} }`),
    ...parameters,
    `version_policy { specific { versions: [${config.version_policy.specific.versions.join(', ')}] } }`,
  ].join('\n')}\n`;
}

/** `vllm`, or a Python model of the operator's own that has the same inputs and outputs. @throws invalid-input */
export function backendOf({ args }: Pick<EngineSpec, 'args'>): { name: 'vllm' } | { name: 'python'; modelFile: string } {
  const { backend = 'vllm', 'model-file': modelFile } = args;
  const refuse = (field: string, given: unknown, allowed: string) => {
    throw invalidArgs([{ field: `engine.args.${field}`, given: JSON.stringify(given) ?? 'nothing', allowed }]);
  };
  if (backend === 'python') {
    if (typeof modelFile === 'string' && isAbsolute(modelFile)) return { name: 'python', modelFile };
    return refuse('model-file', modelFile, 'the absolute path, on the host, of a model.py with the interface of the vLLM backend');
  }
  if (backend !== 'vllm') return refuse('backend', backend, '"vllm", or "python" together with model-file');
  if (modelFile !== undefined) return refuse('model-file', modelFile, 'absent unless backend is "python"');
  return { name: 'vllm' };
}

/** Arguments that follow from the placement, or mean nothing inside Triton, and what to set instead. */
const OWNED: Readonly<Record<string, string>> = {
  model: "the model's `source` decides it",
  'served-model-name': "it answers to the deployment's name",
  'tensor-parallel-size': 'the plan decides it',
  'disable-log-stats': 'its metrics are what it is measured by',
};
/** Those that are ours, not the engine's. */
const NOT_FOR_THE_ENGINE: ReadonlySet<string> = new Set(['backend', 'model-file']);
const DTYPES: Readonly<Record<string, string>> = { bf16: 'bfloat16', fp16: 'float16' };

/**
 * `model.json`: vLLM's `AsyncEngineArgs`. The deployment's own arguments replace the defaults; `max-model-len` is `max_model_len` here.
 * @throws invalid-input for arguments that are not the deployment's to set
 */
export function engineArguments(spec: EngineSpec): Record<string, string | number | boolean> {
  const issues = Object.entries(spec.args).flatMap(([name, value]) =>
    name in OWNED ? [{ field: `engine.args.${name}`, given: JSON.stringify(value), allowed: `no such argument: ${OWNED[name]}` }] : [],
  );
  if (issues.length > 0) throw invalidArgs(issues);
  const dtype = DTYPES[spec.dtype]; // a quantized checkpoint says itself what it is
  const own = Object.entries(spec.args).filter(([name]) => !NOT_FOR_THE_ENGINE.has(name));
  return {
    ...modelOf(spec),
    ...(dtype && { dtype }),
    tensor_parallel_size: spec.tensorParallel,
    max_num_seqs: spec.maxSequences,
    ...Object.fromEntries(own.map(([name, value]) => [name.replaceAll('-', '_'), value])),
  };
}

/** A folder on this host, else what the hub calls it. */
function modelOf(spec: EngineSpec): Record<string, string> {
  const path = localModelPath(spec);
  if (path !== null) return { model: path };
  const { repository, revision } = parseHubSource(spec.source);
  return { model: repository, ...(revision !== null && { revision }) };
}

function invalidArgs(issues: FieldIssue[]): UellmError {
  return new UellmError({ kind: 'invalid-input', what: 'Triton engine', issues });
}
