/** The commands that hosts are configured with for engines: words with placeholders, for engines that run in a container. */
import { findAcceleratorKind } from '../core/domain/accelerators.ts';
import { UellmError } from '../core/domain/errors.ts';
import type { EngineSpec } from './driver.ts';

/**
 * Checks a command's placeholders.
 * @param what for the error, e.g. `vLLM command`
 * @param names of the placeholders that it may have, e.g. `port` for `{port}`
 * @returns the program and its first arguments, given their values
 * @throws invalid-input where the command is empty or has an unknown placeholder
 */
export function engineCommand<Name extends string>(
  what: string,
  command: readonly string[],
  names: readonly Name[],
): (values: Record<Name, string>) => [program: string, ...args: string[]] {
  const unknown = [...command.join(' ').matchAll(/\{([a-z]+)\}/g)].find(([, name]) => !names.includes(name as Name))?.[0];
  if (!command[0] || unknown) {
    const allowed = `a command with the placeholders ${names.map((name) => `{${name}}`).join(', ')} or none`;
    const issue = { field: 'command', given: unknown ?? JSON.stringify(command), allowed };
    throw new UellmError({ kind: 'invalid-input', what, issues: [issue] });
  }
  const placeholder = new RegExp(`\\{(${names.join('|')})\\}`, 'g');
  return (values) => {
    const [program, ...args] = command.map((word) => word.replace(placeholder, (_, name: Name) => values[name]));
    return [program!, ...args];
  };
}

/** Numbered as the vendors' tools number them, not fastest first. AMD's runtime has a variable of its own; vLLM wants both to agree there. */
export function visibleAccelerators(spec: EngineSpec): Record<string, string> {
  const indexes = spec.accelerators.join(',');
  const amd = findAcceleratorKind(spec.acceleratorKind)?.vendor === 'AMD';
  return { CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: indexes, ...(amd ? { HIP_VISIBLE_DEVICES: indexes } : {}) };
}
