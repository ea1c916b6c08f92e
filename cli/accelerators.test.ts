import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { acceleratorKind, extendCatalog } from '../core/domain/accelerators.ts';
import { runCli } from '../test/support/cli.ts';
import { useAccelerators } from './accelerators.ts';

const folder = mkdtempSync(join(tmpdir(), 'uellm-accelerators-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => extendCatalog([]));
function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const NPU = '{ id: Ascend-910B, vendor: Huawei, memoryGib: 64, memoryBandwidthGBs: 1600, bf16Tflops: 320, linkGBs: 56, usdPerHour: 0.8 }';
const ACCELERATORS = file('accelerators.yaml', `accelerators:\n  - ${NPU}\n`);

it('simulate knows the kinds of --accelerators, their speed and their price', async () => {
  const fleet = file('fleet.yaml', 'kind: Host\nname: npu-1\naccelerators: [{ kind: ascend-910b, count: 1 }]\n');
  const slo = file('slo.yaml', 'classes: [{ name: chat, share: 1, ttftMs: 2000, priority: 0 }]\n');
  const trace = file('trace.jsonl', '{"arrivalMs":0,"inputTokens":500,"outputTokens":20}\n');
  const args = ['simulate', '--fleet', fleet, '--slo', slo, '--trace', trace, '--json'];
  const without = await runCli(args);
  expect([without.exitCode, without.err]).toEqual([2, expect.stringContaining('accelerators[0].kind: got "ascend-910b"')]);
  const { exitCode, out, err } = await runCli([...args, '--accelerators', ACCELERATORS]);
  expect(exitCode, err).toBe(0);
  expect(err).toContain("step times on 1 × Ascend-910B follow from the catalog's figures");
  expect(JSON.parse(out).replicas).toMatchObject([{ host: 'npu-1', usdPerHour: 0.8 }]);
});

it('the file is told from the flag or variable that names it, and a second one takes its place', async () => {
  await useAccelerators(ACCELERATORS, '--accelerators');
  await useAccelerators(file('other.json', '{"accelerators":[{"id":"L4","usdPerHour":0.5}]}'), 'UELLM_ACCELERATORS_FILE');
  expect(acceleratorKind('L4').usdPerHour).toBe(0.5);
  expect(() => acceleratorKind('Ascend-910B')).toThrow("there is no accelerator kind named 'Ascend-910B'");
  const missing = join(folder, 'missing.yaml');
  await expect(useAccelerators(missing, 'UELLM_ACCELERATORS_FILE')).rejects.toThrow(/UELLM_ACCELERATORS_FILE: got ".*missing.yaml"/);
  const two = file('two.yaml', 'accelerators: []\n---\naccelerators: []\n');
  await expect(useAccelerators(two, '--accelerators')).rejects.toThrow('two.yaml is not valid');
  await expect(useAccelerators(file('empty.yaml', ''), '--accelerators')).rejects.toThrow('empty.yaml is not valid');
});
