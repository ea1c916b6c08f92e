/** A kind from the installation's own file, on a host whose own tool finds fewer than were declared: from the tool to the API. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'uellm-inventory-'));
const accelerators = join(folder, 'accelerators.yaml');
const { PATH } = process.env;
let cluster: Cluster;

beforeAll(async () => {
  writeFileSync(
    accelerators,
    'accelerators:\n  - { id: H100-PCIe, aliases: [H100 PCIe], vendor: NVIDIA, memoryGib: 80, memoryBandwidthGBs: 2000, bf16Tflops: 756 }\n',
  );
  const row = '0, NVIDIA H100 PCIe, 81559, GPU-1, 00000000:1B:00.0, Disabled';
  writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\necho '${row}'\n`, { mode: 0o755 });
  process.env.PATH = `${folder}:${PATH}`;
  cluster = await startCluster({
    hosts: ['gpu-1'],
    objects: [{ kind: 'Host', name: 'gpu-1', accelerators: [{ kind: 'h100 pcie', count: 2 }] }],
    env: { UELLM_ACCELERATORS_FILE: accelerators },
  });
});
afterAll(async () => {
  process.env.PATH = PATH;
  await cluster?.close();
  rmSync(folder, { recursive: true });
});

it('a host reports what it finds, the API says how that differs', async () => {
  const inventory = async () =>
    (await cluster.api<{ status: { inventory: { difference: string } | null } }>('GET', '/hosts/gpu-1')).status.inventory;
  await expect.poll(inventory, { timeout: 30_000 }).toMatchObject({
    difference: 'declared 2 H100-PCIe, found 1; nothing is placed on accelerator 1',
    absent: [1],
    accelerators: [{ index: 0, kind: 'H100-PCIe', name: 'NVIDIA H100 PCIe', vendor: 'NVIDIA' }],
    problems: [],
  });
});
