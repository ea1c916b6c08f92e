/** What a refusal names as nearest, done to the input that it is of: for tests that plan again with it. */
import type { FleetInput } from '../../core/placement/fleet/problem.ts';
import type { DeploymentDemand } from '../../core/placement/types.ts';
import { fleetOf } from './placement.ts';

/** Each of the ways that a refusal names by itself. */
export function waysOf(nearest: string): string[] {
  return nearest.replace(/^fits /, '').split(', or ');
}

export function relaxed(input: FleetInput, subject: string, way: string): FleetInput {
  const change = (edit: (d: DeploymentDemand) => DeploymentDemand): FleetInput => ({
    ...input,
    deployments: input.deployments.map((d) => (d.spec.name === subject ? edit(d) : d)),
  });
  const withReplicas = (max: number) => change(({ spec, ...d }) => ({ ...d, spec: { ...spec, replicas: { ...spec.replicas, max } } }));

  const more =
    /^with (\d+) more ([\w-]+)(?:, which no host has)?(?:, (\d+) to a host at least|, on (\d+) other hosts?| on host ([\w-]+))?/.exec(way);
  if (more) {
    const [all, count, kind, group, hosts, host] = more;
    const grown = withAccelerators(input, Number(count), kind!, { host, group: Number(group ?? Number(count) / Number(hosts ?? count)) });
    const rest = way.slice(all.length).replace(/^, and |^ /, '');
    return rest === '' ? grown : relaxed(grown, subject, rest.startsWith('at ') ? rest : `with ${rest}`);
  }
  const [, max, also] = /^with replicas\.max (\d+)(?: (at .*))?$/.exec(way) ?? [];
  if (max) return also ? relaxed(withReplicas(Number(max)), subject, also) : withReplicas(Number(max));
  const [, tokens] = /^at (\d+) input tokens$/.exec(way) ?? [];
  if (tokens) {
    return change(({ spec, demand: before, ...d }) => {
      const demand = { ...before, inputTokens: Number(tokens) };
      return { ...d, demand, spec: { ...spec, demand } };
    });
  }
  if (way.startsWith('at ')) return change((d) => ({ ...d, targets: { ...d.targets!, ...targetsIn(way) } }));
  if (way === 'without antiAffinity') {
    return {
      ...input,
      deployments: input.deployments.map(({ spec, ...d }) => {
        const { antiAffinity, ...placement } = spec.placement;
        const others = spec.name === subject ? [] : antiAffinity?.filter((other) => other !== subject);
        return { ...d, spec: { ...spec, placement: others?.length ? { ...placement, antiAffinity: others } : placement } };
      }),
    };
  }
  const places = [...way.matchAll(/\d+ ([\w-]+) of host ([\w-]+)/g)];
  if (places.length > 0) {
    return change(({ spec, ...d }) => {
      const [accelerators, hosts] = [places.map(([, kind]) => kind!), places.map(([, , host]) => host!)];
      return { ...d, spec: { ...spec, placement: { ...spec.placement, hosts, accelerators } } };
    });
  }
  const [, opened] = /^once host ([\w-]+) takes new work/.exec(way) ?? [];
  if (opened) {
    return { ...input, hosts: input.hosts.map((h) => (h.name === opened ? { ...h, liveness: 'alive', service: 'schedulable' } : h)) };
  }
  throw new Error(`no such way: ${way}`);
}

function targetsIn(way: string): Record<string, number> {
  const names: Record<string, string> = { TPOT: 'tpotMs', TTFT: 'ttftMs', 'end to end': 'e2eMs' };
  return Object.fromEntries([...way.matchAll(/(TPOT|TTFT|end to end) ([\d.]+) ms/g)].map(([, name, ms]) => [names[name!]!, Number(ms)]));
}

function withAccelerators(
  input: FleetInput,
  count: number,
  kind: string,
  { host, group }: { host: string | undefined; group: number },
): FleetInput {
  if (host !== undefined) {
    const added = Array.from({ length: count }, () => kind);
    return { ...input, hosts: input.hosts.map((h) => (h.name === host ? { ...h, accelerators: [...h.accelerators, ...added] } : h)) };
  }
  const hosts = Array.from({ length: count / group }, (_, i) => fleetOf(`more-${i}: ${group} ${kind}`)[0]!);
  return { ...input, hosts: [...input.hosts, ...hosts] };
}
