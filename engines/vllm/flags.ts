/** A deployment's own flags for vLLM, as its command line takes them. */
import { UellmError } from '../../core/domain/errors.ts';
import type { EngineSpec } from '../driver.ts';

/** Flags that follow from the placement, or that would put the engine where nobody finds it, and what to set instead. */
const OWNED: Readonly<Record<string, string>> = {
  model: "the model's `source` decides it",
  'served-model-name': "the deployment's and the model's names are what it answers to",
  host: "the host's configuration decides where engines listen",
  port: 'the host chooses a free one',
  uds: 'gateways reach engines by TCP',
  'root-path': 'gateways expect `/v1`',
  'tensor-parallel-size': 'the plan decides it',
  'shutdown-timeout': 'the host decides how long an engine may finish its requests',
  'api-key': 'engines take requests from gateways, which check the keys',
  'ssl-keyfile': 'gateways reach engines by plain HTTP',
  'ssl-certfile': 'gateways reach engines by plain HTTP',
  headless: 'an engine without its API serves nobody',
  grpc: 'gateways speak HTTP',
};

/**
 * `{ 'max-model-len': 2048, 'enforce-eager': true }` as `--max-model-len=2048 --enforce-eager`; false is `--no-…`, since vLLM's switches
 * are `argparse.BooleanOptionalAction`s. `--flag=value` keeps a value that begins with a dash a value.
 * @throws invalid-input for flags that are ours, abbreviations of them included (argparse expands those)
 */
export function vllmFlags(args: EngineSpec['args']): string[] {
  const issues = Object.entries(args).flatMap(([name, value]) => {
    const owned = Object.keys(OWNED).find((flag) => flag.startsWith(name));
    return owned ? [{ field: `engine.args.${name}`, given: JSON.stringify(value), allowed: `no such flag: ${OWNED[owned]}` }] : [];
  });
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: 'the command line of vLLM', issues });
  return Object.entries(args).map(([name, value]) => {
    if (typeof value !== 'boolean') return `--${name}=${value}`;
    return value ? `--${name}` : `--no-${name}`;
  });
}
