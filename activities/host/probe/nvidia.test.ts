import { describe, expect, it } from 'vitest';
import { parseNvidiaSmi } from './nvidia-smi.ts';
import { parseNvidiaTopology } from './nvidia-topology.ts';
import { MIB } from './reading.ts';

const row = (index: number, name: string, memory: string, mig = '[N/A]') =>
  `${index}, ${name}, ${memory}, GPU-2b79666e-d81f-f3f8-fd47-9903f118c3f${index}, 00000000:${index}B:00.0, ${mig}`;
const H100 = 'NVIDIA H100 80GB HBM3';

describe('nvidia-smi', () => {
  it('lists devices, of several names', () => {
    const text = [row(0, H100, '81559', 'Disabled'), row(1, 'NVIDIA L40S', '46068'), row(2, 'Tesla T4', '15360'), ''].join('\n');
    expect(parseNvidiaSmi(text)).toEqual({
      devices: [
        { index: 0, name: H100, memoryBytes: 81_559 * MIB },
        { index: 1, name: 'NVIDIA L40S', memoryBytes: 46_068 * MIB },
        { index: 2, name: 'Tesla T4', memoryBytes: 15_360 * MIB },
      ],
      problems: [],
      listed: true,
    });
  });

  it('may print a header, units, carriage returns and the slices of a device beside it', () => {
    const text = `index, name, memory.total [MiB], uuid, pci.bus_id, mig.mode.current\r\n${row(0, 'NVIDIA L4', '23034 MiB')}\r
  MIG 1g.6gb      Device  0: (UUID: MIG-ab5835f0-9f3f-5d4c-8a32-2b9d1ed4ac43)\r\n`;
    expect(parseNvidiaSmi(text)).toEqual({
      devices: [{ index: 0, name: 'NVIDIA L4', memoryBytes: 23_034 * MIB }],
      problems: [],
      listed: true,
    });
  });

  it.each(['[N/A]', '[Not Supported]'])('keeps a device that shares the memory of its host: %s', (memory) => {
    expect(parseNvidiaSmi(row(0, 'NVIDIA GB10', memory)).devices).toEqual([{ index: 0, name: 'NVIDIA GB10', memoryBytes: null }]);
  });

  it.each(['[GPU is lost]', '[GPU requires reset]', '[Unknown Error]'])('counts no device that does not work: %s', (fault) => {
    const { devices, problems, listed } = parseNvidiaSmi([row(0, H100, '81559'), row(1, H100, fault)].join('\n'));
    expect([devices.map((d) => d.index), listed]).toEqual([[0], true]);
    expect(problems).toEqual([{ kind: 'unusable', message: `accelerator 1 (${H100}) does not work: ${fault}` }]);
  });

  it('counts no device that has fallen off the bus, and says which', () => {
    const fallen = 'Unable to determine the device handle for GPU1: 0000:5F:00.0: Unknown Error';
    const { devices, problems, listed } = parseNvidiaSmi([fallen, row(0, H100, '81559'), row(2, H100, '81559')].join('\n'));
    expect([devices.map((d) => d.index), listed, problems]).toEqual([[0, 2], true, [{ kind: 'unusable', message: fallen }]]);
  });

  it('counts no device that is split up', () => {
    const { devices, problems } = parseNvidiaSmi(row(3, 'NVIDIA A100-SXM4-80GB', '81920', 'Enabled'));
    expect(devices).toEqual([]);
    expect(problems).toEqual([
      {
        kind: 'unusable',
        message:
          'accelerator 3 (NVIDIA A100-SXM4-80GB) is split up by MIG, and engines take whole devices: nvidia-smi -i 3 -mig 0 makes it one again',
      },
    ]);
  });

  it('knows an empty list from a failure', () => {
    expect(parseNvidiaSmi('No devices were found\n')).toEqual({ devices: [], problems: [], listed: true });
    for (const words of [
      "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.",
      'Failed to initialize NVML: Driver/library version mismatch',
    ])
      expect(parseNvidiaSmi(`${words}\n\n`)).toEqual({ devices: [], problems: [{ kind: 'failed', message: words }], listed: false });
    expect(parseNvidiaSmi('')).toEqual({ devices: [], problems: [], listed: false });
  });

  it('passes on what it does not understand', () => {
    const warning = 'WARNING: infoROM is corrupted at gpu 0000:3B:00.0';
    expect(parseNvidiaSmi(`${row(0, H100, '81559')}\n${warning}`)).toMatchObject({
      devices: [{ index: 0 }],
      problems: [{ kind: 'unreadable', message: warning }],
    });
  });
});

const LEGEND = `
Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes (e.g., QPI/UPI)
  NV#  = Connection traversing a bonded set of # NVLinks

NIC Legend:

  NIC0: mlx5_0
`;
const pairs = (text: string) => parseNvidiaTopology(text).map(({ kind, pair }) => `${pair.join('-')} ${kind}`);

describe('nvidia-smi topo -m', () => {
  it('of a board with NVLink and network cards, underlined as on a terminal', () => {
    const text = `\t\u001b[4mGPU0\tGPU1\tGPU2\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\u001b[0m
GPU0\t X \tNV18\tNV18\tPXB\t0-55,112-167\t0\t\tN/A
GPU1\tNV18\t X \tNV18\tNODE\t0-55,112-167\t0\t\tN/A
GPU2\tNV18\tNV18\t X \tSYS\t56-111,168-223\t1\t\tN/A
NIC0\tPXB\tNODE\tSYS\t X \t\t\t\t
${LEGEND}`;
    expect(pairs(text)).toEqual(['0-1 nvlink', '0-2 nvlink', '1-2 nvlink']);
  });

  it('of pairs with a bridge each', () => {
    const text = `        GPU0    GPU1    GPU2    GPU3    CPU Affinity    NUMA Affinity
GPU0     X      NV4     NODE    SYS     0-31,64-95      0
GPU1    NV4      X      PHB     PXB     0-31,64-95      0
GPU2    NODE    PHB      X      NV4     32-63,96-127    1
GPU3    SYS     PXB     NV4      X      32-63,96-127    1
${LEGEND}`;
    expect(pairs(text)).toEqual(['0-1 nvlink', '0-2 pcie', '0-3 pcie', '1-2 pcie', '1-3 pcie', '2-3 nvlink']);
  });

  it('without a device that has gone', () => {
    expect(pairs('\tGPU0\tGPU2\tCPU Affinity\nGPU0\t X \tPIX\t0-9\nGPU2\tPIX\t X \t0-9\n')).toEqual(['0-2 pcie']);
  });

  it('of one device, or of none', () => {
    expect(pairs('\tGPU0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\nGPU0\t X \t0-63\t0\t\tN/A\n')).toEqual([]);
    expect(pairs('Failed to initialize NVML: Driver/library version mismatch')).toEqual([]);
  });
});
