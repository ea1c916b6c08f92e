/**
 * What a host has, by its vendors' own tools: `nvidia-smi`, `amd-smi` or `rocm-smi`, `hl-smi`. One file a tool parses what it prints, and
 * does nothing else; `run-tool.ts` runs it. A tool that is not installed says nothing, one that fails is a problem, and a name is never guessed.
 */
import { type HostProbe, identifyAccelerator, kindOfName, type ProbeProblem, type ProbeTool } from '../../../core/domain/host-probe.ts';
import { GIB } from '../../../core/domain/units.ts';
import { AMD_QUERY, parseAmdSmi } from './amd-smi.ts';
import { HL_QUERY, parseHlSmi } from './hl-smi.ts';
import { NVIDIA_QUERY, parseNvidiaSmi } from './nvidia-smi.ts';
import { parseNvidiaTopology } from './nvidia-topology.ts';
import { type Device, type LinkPair, linesOf, type Reading } from './reading.ts';
import { parseRocmSmi, parseRocmTopology, ROCM_QUERY, ROCM_TOPOLOGY_QUERY } from './rocm-smi.ts';
import { type RunTool, type ToolOutput, toolRunner } from './run-tool.ts';

/** What one vendor's tools say. */
interface VendorReport {
  vendor: string;
  tool: ProbeTool;
  reading: Reading;
  links: LinkPair[];
}

export async function probeHost(run: RunTool = toolRunner()): Promise<HostProbe> {
  const reports = (await Promise.all([askNvidia(run), askAmd(run), askIntel(run)])).filter((report) => report !== null);
  const probe: HostProbe = { accelerators: [], links: [], problems: [], listed: [] };
  for (const { vendor, tool, reading, links } of reports) {
    if (reading.listed) probe.listed.push(vendor);
    // Each vendor counts from 0. Where there are two, the second goes on where the first ended.
    const offset = (probe.accelerators.at(-1)?.index ?? -1) + 1;
    const devices = reading.devices.map((d) => ({ ...d, index: d.index + offset })).sort((a, b) => a.index - b.index);
    probe.accelerators.push(
      ...devices.map((d) => ({ ...d, vendor, kind: identifyAccelerator(vendor, d.name, d.memoryBytes)?.id ?? null })),
    );
    for (const { kind, pair } of links) {
      const pairs = probe.links.find((l) => l.kind === kind)?.pairs ?? [];
      if (pairs.length === 0) probe.links.push({ kind, pairs });
      pairs.push(pair.map((index) => index + offset));
    }
    probe.problems.push(...reading.problems.map((problem) => ({ tool, ...problem })), ...unknownNames(vendor, tool, devices));
  }
  return probe;
}

async function askNvidia(run: RunTool): Promise<VendorReport | null> {
  const output = await run('nvidia-smi', NVIDIA_QUERY);
  if (!output) return null;
  // It tells of a device that does not answer beside the others, and ends with success or without.
  const reading = judged(output, parseNvidiaSmi(`${output.stdout}\n${output.stderr}`));
  const topology = reading.devices.length > 1 ? await run('nvidia-smi', ['topo', '-m']) : null;
  return { vendor: 'NVIDIA', tool: 'nvidia-smi', reading, links: parseNvidiaTopology(topology?.stdout ?? '') };
}

async function askAmd(run: RunTool): Promise<VendorReport | null> {
  const report = await ask(run, 'AMD', 'amd-smi', AMD_QUERY, parseAmdSmi);
  const older = report?.reading.listed ? null : await ask(run, 'AMD', 'rocm-smi', ROCM_QUERY, parseRocmSmi);
  const best = older?.reading.listed ? older : (report ?? older);
  if (!best) return null;
  const topology = best.reading.devices.length > 1 ? await run('rocm-smi', ROCM_TOPOLOGY_QUERY) : null;
  return { ...best, links: parseRocmTopology(topology?.stdout ?? '') };
}

async function askIntel(run: RunTool): Promise<VendorReport | null> {
  return ask(run, 'Intel', 'hl-smi', HL_QUERY, parseHlSmi);
}

async function ask(
  run: RunTool,
  vendor: string,
  tool: ProbeTool,
  args: readonly string[],
  parse: (text: string) => Reading,
): Promise<VendorReport | null> {
  const output = await run(tool, args);
  return output && { vendor, tool, reading: judged(output, parse(output.stdout)), links: [] };
}

/** A list that was cut short is none; and where there is none, something was said instead of it. */
function judged({ stdout, stderr, failure }: ToolOutput, reading: Reading): Reading {
  const listed = reading.listed && failure !== 'no answer in time';
  if (listed) return reading;
  const said = reading.problems.find((p) => p.kind === 'failed')?.message ?? linesOf(`${stderr}\n${stdout}`)[0] ?? 'it prints nothing';
  const kind = failure === null && reading.problems.every((p) => p.kind === 'unreadable') ? 'unreadable' : 'failed';
  return { devices: [], problems: [{ kind, message: failure === null ? said : `${failure}: ${said}` }], listed };
}

/** One problem a name, with what can be done. */
function unknownNames(vendor: string, tool: ProbeTool, devices: readonly Device[]): ProbeProblem[] {
  const unknown = devices.filter((d) => identifyAccelerator(vendor, d.name, d.memoryBytes) === null);
  const isLike = (a: Device) => (b: Device) => a.name === b.name && a.memoryBytes === b.memoryBytes;
  const firsts = unknown.filter((device, i) => unknown.findIndex(isLike(device)) === i);
  return firsts.map((first) => {
    const { name, memoryBytes } = first;
    const indexes = unknown
      .filter(isLike(first))
      .map((d) => d.index)
      .join(', ');
    const memory = memoryBytes === null ? 'memory that it does not tell' : gib(memoryBytes);
    const kind = kindOfName(name);
    const advice =
      kind?.vendor === vendor
        ? `not the ${gib(kind.memoryBytes)} of a whole ${kind.id}`
        : 'no kind of the catalog: add it to the file that UELLM_ACCELERATORS_FILE names, with this name among its aliases';
    return { tool, kind: 'unknown-kind', message: `"${name}" with ${memory} (accelerator ${indexes}) is ${advice}` };
  });
}

const gib = (bytes: number) => `${Math.round((bytes / GIB) * 10) / 10} GiB`;
