import { describe, expect, it } from 'vitest';
import { parseAmdMemory } from './amd-smi.ts';
import { parseHlMemory } from './hl-smi.ts';
import { readMemoryUse } from './memory.ts';
import { parseNvidiaMemory } from './nvidia-smi.ts';
import { MIB } from './reading.ts';
import { parseRocmMemory } from './rocm-smi.ts';
import type { RunTool } from './run-tool.ts';

const use = (index: number, totalMib: number, usedMib: number, holders: string[] = []) => ({
  index,
  totalBytes: totalMib * MIB,
  usedBytes: usedMib * MIB,
  holders,
});
const UUIDS = ['GPU-4b5c1f3e-2d2f-7f0e-9a51-0d6c2b7a1c11', 'GPU-8f0a3c0d-11aa-3d2b-f7c4-51c3c6f0a922'];
const NVIDIA = `0, ${UUIDS[0]}, 81559, 4\n1, ${UUIDS[1]}, 81559, 73214\n`;
const NVIDIA_PROCESSES = `${UUIDS[1]}, 4242, /usr/bin/python3\n${UUIDS[1]}, 4301, VLLM::Worker_TP1\n`;

describe('memory in use', () => {
  it('nvidia-smi: by whom, where it sees the processes', () => {
    const holders = ['pid 4242 (/usr/bin/python3)', 'pid 4301 (VLLM::Worker_TP1)'];
    expect(parseNvidiaMemory(NVIDIA, NVIDIA_PROCESSES)).toEqual([use(0, 81_559, 4), use(1, 81_559, 73_214, holders)]);
    expect(parseNvidiaMemory(NVIDIA, '')).toEqual([use(0, 81_559, 4), use(1, 81_559, 73_214)]);
  });

  it.each([
    'No devices were found\n',
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
    `0, ${UUIDS[0]}, [N/A], [N/A]\n`,
    'Unable to determine the device handle for GPU1: 0000:3B:00.0: Unknown Error\n',
  ])('nvidia-smi: %j tells nothing', (text) => expect(parseNvidiaMemory(text, '')).toEqual([]));

  it.each([
    ['a bare list', (gpus: object[]) => gpus],
    ['a wrapped one', (gpus: object[]) => ({ gpu_data: gpus })],
  ])('amd-smi: %s', (_, wrap) => {
    const mb = (value: number) => ({ value, unit: 'MB' });
    const gpu = (index: number, used: unknown) => ({
      gpu: index,
      mem_usage: { total_vram: mb(196_592), used_vram: used, free_vram: mb(196_308), total_visible_vram: mb(196_592) },
    });
    expect(parseAmdMemory(JSON.stringify(wrap([gpu(0, mb(284)), gpu(1, 'N/A')])))).toEqual([use(0, 196_592, 284)]);
  });

  it('rocm-smi', () => {
    const text = JSON.stringify({
      card0: { 'VRAM Total Memory (B)': '206141652992', 'VRAM Total Used Memory (B)': '297791488', 'Card Series': 'AMD Instinct MI300X' },
      card1: { 'VRAM Total Memory (B)': 'N/A', 'VRAM Total Used Memory (B)': 'N/A' },
      system: { 'Driver version': '6.10.5' },
    });
    expect(parseRocmMemory(text)).toEqual([{ index: 0, totalBytes: 206_141_652_992, usedBytes: 297_791_488, holders: [] }]);
  });

  it('hl-smi, in whatever order', () => {
    const text = 'index, memory.total [MiB], memory.used [MiB]\n1, 98304 MiB, 92160 MiB\n0, 98304 MiB, 768 MiB\n';
    expect(parseHlMemory(text)).toEqual([use(1, 98_304, 92_160), use(0, 98_304, 768)]);
  });

  it('counts a second vendor on from the first, and knows nothing without tools', async () => {
    const outputs: Record<string, string> = {
      'nvidia-smi --query-gpu': NVIDIA,
      'nvidia-smi --query-compute-apps': NVIDIA_PROCESSES,
      'hl-smi -Q': 'index, memory.total [MiB], memory.used [MiB]\n0, 98304 MiB, 768 MiB\n',
    };
    const run: RunTool = async (command, args) => {
      const stdout = outputs[`${command} ${args[0]!.split('=')[0]}`];
      return stdout === undefined ? null : { stdout, stderr: '', failure: null };
    };
    expect((await readMemoryUse(run)).map((u) => [u.index, u.usedBytes / MIB])).toEqual([
      [0, 4],
      [1, 73_214],
      [2, 768],
    ]);
    expect(await readMemoryUse(async () => null)).toEqual([]);
  });
});
