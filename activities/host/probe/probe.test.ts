/** Tools as they answer, together; and real processes in their place. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostProbeSchema } from '../../../core/domain/host-probe.ts';
import { GIB } from '../../../core/domain/units.ts';
import { probeHost } from './index.ts';
import { MIB } from './reading.ts';
import { type RunTool, type ToolOutput, toolRunner } from './run-tool.ts';

const NOTHING = { accelerators: [], links: [], problems: [], listed: [] };
const H100 = 'NVIDIA H100 80GB HBM3';

/** Tools by the beginning of their command line. */
function tools(outputs: Record<string, string | Partial<ToolOutput>>): RunTool {
  return async (command, args) => {
    const line = [command, ...args].join(' ');
    const [, output] = Object.entries(outputs).find(([start]) => line.startsWith(start)) ?? [];
    if (output === undefined) return null;
    return { stdout: '', stderr: '', failure: null, ...(typeof output === 'string' ? { stdout: output } : output) };
  };
}
const nvidia = (...rows: [index: number, name: string, mib: number][]) =>
  rows.map(([index, name, mib]) => `${index}, ${name}, ${mib}, GPU-0, 00000000:3B:00.0, [N/A]\n`).join('');

describe('a probe', () => {
  it('finds nothing without tools', async () => {
    expect(await probeHost(tools({}))).toEqual(NOTHING);
  });

  it('tells kinds and links of NVIDIA devices', async () => {
    const run = tools({
      'nvidia-smi --query': nvidia([0, H100, 81_559], [1, H100, 81_559]),
      'nvidia-smi topo': '\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tNV18\t0-55\nGPU1\tNV18\t X \t0-55\n',
    });
    const accelerator = { kind: 'H100-SXM', name: H100, vendor: 'NVIDIA', memoryBytes: 81_559 * MIB };
    const probe = await probeHost(run);
    expect(probe).toEqual({
      accelerators: [
        { index: 0, ...accelerator },
        { index: 1, ...accelerator },
      ],
      links: [{ kind: 'nvlink', pairs: [[0, 1]] }],
      problems: [],
      listed: ['NVIDIA'],
    });
    expect(hostProbeSchema.parse(probe)).toEqual(probe);
  });

  it('reports a name that no kind has once, and guesses nothing', async () => {
    const rows = nvidia([0, 'NVIDIA H100 PCIe', 81_559], [1, 'Tesla T4', 15_360], [2, 'NVIDIA H100 PCIe', 81_559]);
    const { accelerators, problems } = await probeHost(tools({ 'nvidia-smi --query': rows }));
    expect(accelerators.map((a) => a.kind)).toEqual([null, 'T4', null]);
    expect(problems).toEqual([
      {
        tool: 'nvidia-smi',
        kind: 'unknown-kind',
        message:
          '"NVIDIA H100 PCIe" with 79.6 GiB (accelerator 0, 2) is no kind of the catalog: add it to the file that UELLM_ACCELERATORS_FILE names, with this name among its aliases',
      },
    ]);
  });

  it('says of a part of a device what it is a part of', async () => {
    const part = { gpu: 0, asic: { market_name: 'AMD Instinct MI300X' }, vram: { size: { value: 24_574, unit: 'MB' } } };
    const { accelerators, problems } = await probeHost(tools({ 'amd-smi static': JSON.stringify([part]) }));
    expect(accelerators).toMatchObject([{ kind: null }]);
    expect(problems[0]?.message).toBe('"AMD Instinct MI300X" with 24 GiB (accelerator 0) is not the 192 GiB of a whole MI300X');
  });

  it('takes the failure of a driver for a problem, not for a list of nothing', async () => {
    const words = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.";
    const failed = await probeHost(tools({ 'nvidia-smi': { stdout: `${words}\n\n`, failure: 'exit code 9' } }));
    expect(failed).toEqual({ ...NOTHING, problems: [{ tool: 'nvidia-smi', kind: 'failed', message: `exit code 9: ${words}` }] });
    const none = await probeHost(tools({ 'nvidia-smi': { stdout: 'No devices were found\n', failure: 'exit code 6' } }));
    expect(none).toEqual({ ...NOTHING, listed: ['NVIDIA'] });
    const silent = await probeHost(tools({ 'nvidia-smi': {} }));
    expect(silent.problems).toEqual([{ tool: 'nvidia-smi', kind: 'unreadable', message: 'it prints nothing' }]);
  });

  it('keeps the devices that answer beside one that does not, however the tool ends', async () => {
    const stderr = 'Unable to determine the device handle for GPU1: 0000:5F:00.0: Unknown Error\n';
    for (const failure of [null, 'exit code 15'] as const) {
      const run = tools({ 'nvidia-smi --query': { stdout: nvidia([0, H100, 81_559], [2, H100, 81_559]), stderr, failure } });
      const { accelerators, problems, listed } = await probeHost(run);
      expect([accelerators.map((a) => a.index), problems.map((p) => p.kind), listed]).toEqual([[0, 2], ['unusable'], ['NVIDIA']]);
    }
  });

  it('believes no list that was cut short', async () => {
    const run = tools({ 'nvidia-smi --query': { stdout: nvidia([0, H100, 81_559]), failure: 'no answer in time' } });
    expect(await probeHost(run)).toMatchObject({ accelerators: [], listed: [], problems: [{ kind: 'failed' }] });
  });

  const rocm = JSON.stringify({
    card0: { 'Card Series': 'AMD Instinct MI300X', 'VRAM Total Memory (B)': '206141652992' },
    card1: { 'Card Series': 'AMD Instinct MI300X', 'VRAM Total Memory (B)': '206141652992' },
  });
  const topology = JSON.stringify({ system: { '(Topology) Link type between DRM devices 0 and 1': 'XGMI' } });

  it.each([
    ['is not there', {}],
    ['fails, as it does without saying so', { 'amd-smi': { stderr: 'ERROR: Unable to get devices, driver not initialized\n' } }],
  ])('asks the older tool of AMD where the newer %s', async (_, more) => {
    const probe = await probeHost(tools({ ...more, 'rocm-smi --showproductname': rocm, 'rocm-smi --showtopo': topology }));
    expect(probe.accelerators.map((a) => a.kind)).toEqual(['MI300X', 'MI300X']);
    expect(probe).toMatchObject({ links: [{ kind: 'xgmi', pairs: [[0, 1]] }], problems: [], listed: ['AMD'] });
  });

  it('tells the failure of the newer tool where the older one fails as well', async () => {
    const outputs = {
      'amd-smi': { stderr: 'ERROR: Unable to get devices\n' },
      'rocm-smi': { stderr: 'ERROR:root:Driver not initialized\n' },
    };
    const { problems } = await probeHost(tools(outputs));
    expect(problems).toEqual([{ tool: 'amd-smi', kind: 'unreadable', message: 'ERROR: Unable to get devices' }]);
  });

  it('sorts Gaudi devices, and numbers a second vendor after the first', async () => {
    const gaudi = 'index, name, memory.total [MiB]\n1, HL-225, 98304 MiB\n0, HL-225, 98304 MiB\n';
    const probe = await probeHost(tools({ 'nvidia-smi --query': nvidia([0, 'NVIDIA L4', 23_034]), 'hl-smi': gaudi }));
    expect(probe.accelerators.map((a) => `${a.index} ${a.kind}`)).toEqual(['0 L4', '1 Gaudi2', '2 Gaudi2']);
    expect(probe.accelerators.at(-1)?.memoryBytes).toBe(96 * GIB);
    expect(probe.listed).toEqual(['NVIDIA', 'Intel']);
  });
});

describe('running a tool', () => {
  const folder = mkdtempSync(join(tmpdir(), 'uellm-probe-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  function script(name: string, body: string): string {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }
  const run = toolRunner();

  it('gives what it says and how it ends', async () => {
    expect(await run(script('well', 'echo "$1"; echo "$2" >&2'), ['out', 'err'])).toEqual({
      stdout: 'out\n',
      stderr: 'err\n',
      failure: null,
    });
    expect(await run(script('ill', 'echo no driver; exit 9'), [])).toEqual({ stdout: 'no driver\n', stderr: '', failure: 'exit code 9' });
  });

  it('is nothing where there is no such tool', async () => {
    expect(await run(join(folder, 'absent'), [])).toBeNull();
    const notOurs = join(folder, 'not-ours');
    writeFileSync(notOurs, 'no program', { mode: 0o644 });
    expect(await run(notOurs, [])).toMatchObject({ failure: 'cannot be run: EACCES' });
  });

  it('ends with one that hangs', async () => {
    const answer = await toolRunner(200)(script('hung', 'echo a beginning; exec sleep 60'), []);
    expect(answer).toEqual({ stdout: 'a beginning\n', stderr: '', failure: 'no answer in time' });
  });
});
