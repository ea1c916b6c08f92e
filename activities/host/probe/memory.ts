/** How much of the accelerators' memory is in use, by the tools that also list them. Where no tool answers, nothing is known. */
import { AMD_MEMORY_QUERY, parseAmdMemory } from './amd-smi.ts';
import { HL_MEMORY_QUERY, parseHlMemory } from './hl-smi.ts';
import { NVIDIA_MEMORY_QUERY, NVIDIA_PROCESS_QUERY, parseNvidiaMemory } from './nvidia-smi.ts';
import type { MemoryUse } from './reading.ts';
import { parseRocmMemory, ROCM_QUERY } from './rocm-smi.ts';
import { type RunTool, toolRunner } from './run-tool.ts';

/** Two may hang one after the other, and whoever waits is heard of every 15 s. */
const TIMEOUT_MS = 5000;

/** Of all accelerators of this host, by the index that engines are told to use. */
export async function readMemoryUse(run: RunTool = toolRunner(TIMEOUT_MS)): Promise<MemoryUse[]> {
  const uses: MemoryUse[] = [];
  for (const vendor of await Promise.all([nvidia(run), amd(run), intel(run)])) {
    // Counted as the probe counts: a second vendor goes on where the first ended.
    const offset = (uses.at(-1)?.index ?? -1) + 1;
    uses.push(...vendor.map((use) => ({ ...use, index: use.index + offset })).sort((a, b) => a.index - b.index));
  }
  return uses;
}

async function nvidia(run: RunTool): Promise<MemoryUse[]> {
  const memory = await run('nvidia-smi', NVIDIA_MEMORY_QUERY);
  if (!memory) return [];
  const processes = await run('nvidia-smi', NVIDIA_PROCESS_QUERY);
  return parseNvidiaMemory(memory.stdout, processes?.stdout ?? '');
}

async function amd(run: RunTool): Promise<MemoryUse[]> {
  const newer = parseAmdMemory((await run('amd-smi', AMD_MEMORY_QUERY))?.stdout ?? '');
  return newer.length > 0 ? newer : parseRocmMemory((await run('rocm-smi', ROCM_QUERY))?.stdout ?? '');
}

async function intel(run: RunTool): Promise<MemoryUse[]> {
  return parseHlMemory((await run('hl-smi', HL_MEMORY_QUERY))?.stdout ?? '');
}
