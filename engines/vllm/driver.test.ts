import { describe, expect, it } from 'vitest';
import { engineSpec } from '../../test/engines/support.ts';
import { createVllmDriver } from './driver.ts';

const bind = { address: '127.0.0.1', port: 8123 };
const launch = (changes: Parameters<typeof engineSpec>[0] = {}, options = {}) =>
  createVllmDriver(options).launch(engineSpec({ engine: 'vllm', ...changes }), bind);

describe('the command line of vLLM', () => {
  it('has what follows from the placement', async () => {
    const { command, args, env } = await launch({ accelerators: [2, 3], tensorParallel: 2 });
    expect([command, ...args].join(' ')).toBe(
      'python -m vllm.entrypoints.openai.api_server --model meta-llama/Llama-3.1-8B-Instruct --served-model-name demo llama-3.1-8b ' +
        '--host 127.0.0.1 --port 8123 --tensor-parallel-size 2 --shutdown-timeout 3600 ' +
        '--dtype bfloat16 --max-num-seqs 256 --scheduling-policy priority --disable-uvicorn-access-log',
    );
    expect(env).toEqual({ CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: '2,3' });
  });

  it('takes weights from a folder, answers to one name where both are the same, leaves quantization to the checkpoint', async () => {
    const { args } = await launch({ source: 'file:///srv/my%20models/tiny', deployment: 'tiny', model: 'tiny', dtype: 'fp8' });
    expect(args).toEqual(expect.arrayContaining(['--model', '/srv/my models/tiny']));
    expect(args.slice(args.indexOf('--served-model-name'), args.indexOf('--host'))).toEqual(['--served-model-name', 'tiny']);
    expect(args).not.toContain('--dtype');
    expect(args).not.toContain('--tensor-parallel-size');
  });

  it('takes weights from where the host has them, else the revision that the source names', async () => {
    const source = 'hf://acme/tiny@v1.0';
    const here = (await launch({ source, weightsPath: '/cache/tiny/model' })).args;
    expect(here.slice(here.indexOf('--model'), here.indexOf('--served-model-name'))).toEqual(['--model', '/cache/tiny/model']);
    const there = (await launch({ source })).args;
    const flags = there.slice(there.indexOf('--model'), there.indexOf('--served-model-name'));
    expect(flags).toEqual(['--model', 'acme/tiny', '--revision', 'v1.0']);
  });

  it("has the deployment's own flags, which replace our defaults", async () => {
    const { args } = await launch({
      args: { 'max-model-len': 2048, 'enforce-eager': true, 'enable-prefix-caching': false, dtype: 'float32' },
    });
    expect(args.slice(-4)).toEqual(['--max-model-len=2048', '--enforce-eager', '--no-enable-prefix-caching', '--dtype=float32']);
    expect(args).not.toContain('bfloat16');
  });

  it.each(['host', 'port', 'model', 'served-model-name', 'tensor-parallel-size', 'tensor-p', 'api-key'])('refuses --%s', async (name) => {
    await expect(launch({ args: { [name]: 'x' } })).rejects.toThrow(`engine.args.${name}: got "x", allowed is no such flag:`);
  });

  it('leaves flags alone that only begin as ours do', async () => {
    await expect(launch({ args: { 'model-impl': 'auto', 'host-cache': 1 } })).resolves.toBeDefined();
  });

  it('names the accelerators to ROCm as well', async () => {
    const { env } = await launch({ acceleratorKind: 'MI300X', accelerators: [1] });
    expect(env).toEqual({ CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: '1', HIP_VISIBLE_DEVICES: '1' });
  });

  it('can be any command, with placeholders', async () => {
    const command = ['docker', 'run', '--rm', '--name={replica}', '--gpus=device={accelerators}', '-p={port}:{port}', 'vllm'];
    const options = { command, env: { HF_HUB_OFFLINE: '1' }, stopGraceSeconds: 120 };
    const made = await launch({ accelerators: [0, 1] }, options);
    expect([made.command, ...made.args.slice(0, 5)]).toEqual([
      'docker',
      'run',
      '--rm',
      '--name=demo-1',
      '--gpus=device=0,1',
      '-p=8123:8123',
    ]);
    expect(made.env).toMatchObject({ HF_HUB_OFFLINE: '1' });
    expect(createVllmDriver(options).stopGraceSeconds).toBe(120);
  });

  it.each([[[]], [['run', '{gpu}']]])('refuses the command %j', (command) => {
    expect(() => createVllmDriver({ command })).toThrow(/placeholders \{address\}/);
  });
});
