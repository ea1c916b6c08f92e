/** NVIDIA's list of devices, as CSV without a header and without units. */
import { type Device, linesOf, type MemoryUse, mebibytes, type Reading } from './reading.ts';

export const NVIDIA_QUERY = [
  '--query-gpu=index,name,memory.total,uuid,pci.bus_id,mig.mode.current',
  '--format=csv,noheader,nounits',
] as const;

/** Figures that a device which works may leave out, e.g. where it shares the memory of its host. */
const LEFT_OUT = /^\[?(N\/A|Not Supported)\]?$/i;

export function parseNvidiaSmi(text: string): Reading {
  const reading: Reading = { devices: [], problems: [], listed: false };
  for (const line of linesOf(text)) {
    const [index = '', name = '', memory = '', , , mig] = line.split(',').map((field) => field.trim());
    if (/^\d+$/.test(index) && memory !== '') {
      reading.listed = true;
      const device: Device = { index: Number(index), name, memoryBytes: mebibytes(memory) };
      const fault = faultOf(device, memory, mig);
      if (fault) reading.problems.push({ kind: 'unusable', message: `accelerator ${index} (${name}) ${fault}` });
      else reading.devices.push(device);
    } else if (/^No devices were found/i.test(line)) reading.listed = true;
    else if (/device handle/i.test(line)) reading.problems.push({ kind: 'unusable', message: line });
    else if (/NVIDIA-SMI has failed|Failed to initialize NVML/i.test(line)) reading.problems.push({ kind: 'failed', message: line });
    else if (!/^(index|MIG)\b/i.test(line)) reading.problems.push({ kind: 'unreadable', message: line });
  }
  return reading;
}

function faultOf({ index, memoryBytes }: Device, memory: string, mig: string | undefined): string | null {
  if (memoryBytes === null && !LEFT_OUT.test(memory)) return `does not work: ${memory}`;
  if (mig === 'Enabled') return `is split up by MIG, and engines take whole devices: nvidia-smi -i ${index} -mig 0 makes it one again`;
  return null;
}

export const NVIDIA_MEMORY_QUERY = ['--query-gpu=index,uuid,memory.total,memory.used', '--format=csv,noheader,nounits'] as const;
/** Empty in a container, which does not see the processes of others. */
export const NVIDIA_PROCESS_QUERY = ['--query-compute-apps=gpu_uuid,pid,process_name', '--format=csv,noheader,nounits'] as const;

export function parseNvidiaMemory(memory: string, processes: string): MemoryUse[] {
  const running = linesOf(processes).map((line) => line.split(',').map((field) => field.trim()));
  return linesOf(memory).flatMap((line) => {
    const [index = '', uuid, total, used] = line.split(',').map((field) => field.trim());
    const [totalBytes, usedBytes] = [mebibytes(total), mebibytes(used)];
    if (!/^\d+$/.test(index) || totalBytes === null || usedBytes === null) return [];
    const holders = running.filter(([gpu]) => gpu === uuid).map(([, pid, name]) => `pid ${pid} (${name})`);
    return [{ index: Number(index), totalBytes, usedBytes, holders }];
  });
}
