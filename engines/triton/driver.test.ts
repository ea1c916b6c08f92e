import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engineSpec } from '../../test/engines/support.ts';
import { readChatTemplate } from './chat-template.ts';
import { createTritonDriver, type TritonOptions } from './driver.ts';
import { tritonMetricsUrl, tritonModelName } from './endpoint.ts';
import { parseTritonMetrics } from './metrics.ts';
import { addVersion, showVersion } from './repository.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-triton-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const bind = { address: '127.0.0.1', port: 8123 };
const launch = (changes: Parameters<typeof engineSpec>[0] = {}, options: Partial<TritonOptions> = {}) =>
  createTritonDriver({ directory, ...options }).launch(engineSpec({ engine: 'triton', ...changes }), bind);
const written = (file: string) => readFileSync(join(directory, 'demo-1', 'demo', file), 'utf8');
const modelJson = (version = 1) => JSON.parse(written(`${version}/model.json`)) as Record<string, unknown>;

describe('the command line of Triton', () => {
  it('has a repository and ports of its own, and loads nothing by itself', async () => {
    const { command, args, env } = await launch({ accelerators: [2, 3], tensorParallel: 2 });
    expect([command, ...args].join(' ')).toBe(
      `tritonserver --model-repository=${directory}/demo-1 --model-control-mode=explicit --http-address=127.0.0.1 --http-port=8123 ` +
        '--metrics-address=127.0.0.1 --metrics-port=8125 --allow-grpc=false --exit-timeout-secs=3600',
    );
    expect(env).toEqual({ CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: '2,3' });
  });

  it('can be any command, with placeholders', async () => {
    const { command, args } = await launch(
      {},
      { command: ['docker', 'run', '--rm', '-v={repository}:{repository}', 'triton', 'tritonserver'] },
    );
    expect([command, ...args.slice(0, 4)]).toEqual(['docker', 'run', '--rm', `-v=${directory}/demo-1:${directory}/demo-1`, 'triton']);
    expect(() => createTritonDriver({ directory, command: ['run', '{gpu}'] })).toThrow(/placeholders \{address\}.*\{repository\}/);
  });
});

describe('the model repository', () => {
  it('has the vLLM backend and what its engine is started with', async () => {
    await launch({ accelerators: [0, 1], tensorParallel: 2, generation: 3, args: { 'max-model-len': 8192, 'enforce-eager': true } });
    expect(written('config.pbtxt')).toBe(`backend: "vllm"
max_batch_size: 0
model_transaction_policy { decoupled: true }
instance_group { count: 1 kind: KIND_MODEL }
parameters { key: "REPORT_CUSTOM_METRICS" value { string_value: "true" } }
version_policy { specific { versions: [3] } }
`);
    expect(modelJson(3)).toEqual({
      model: 'meta-llama/Llama-3.1-8B-Instruct',
      dtype: 'bfloat16',
      tensor_parallel_size: 2,
      max_num_seqs: 256,
      max_model_len: 8192,
      enforce_eager: true,
    });
  });

  it("takes weights from this host, and the deployment's own arguments before our defaults", async () => {
    const args = { dtype: 'float32', 'max-num-seqs': 16, 'gpu-memory-utilization': 0.4 };
    await launch({ source: pathToFileURL('/srv/my models/tiny').href, dtype: 'fp8', args });
    expect(modelJson()).toEqual({
      ...{ model: '/srv/my models/tiny', dtype: 'float32', tensor_parallel_size: 1 },
      ...{ max_num_seqs: 16, gpu_memory_utilization: 0.4 },
    });
    await launch({ weightsPath: '/cache/tiny', dtype: 'fp8' });
    expect(modelJson()).toEqual({ model: '/cache/tiny', tensor_parallel_size: 1, max_num_seqs: 256 });
    await launch({ source: 'hf://a/b@v2' });
    expect(modelJson()).toMatchObject({ model: 'a/b', revision: 'v2' });
  });

  it('holds one version after a launch, another beside it for a reload, and shows the one that it is told to', async () => {
    await launch();
    await launch({ generation: 2 });
    expect(readdirSync(join(directory, 'demo-1', 'demo')).sort()).toEqual(['2', 'config.pbtxt']);
    const next = engineSpec({ engine: 'triton', generation: 3 });
    await addVersion(join(directory, 'demo-1'), next);
    await addVersion(join(directory, 'demo-1'), next);
    expect(readdirSync(join(directory, 'demo-1', 'demo')).sort()).toEqual(['2', '3', 'config.pbtxt']);
    expect(written('config.pbtxt')).toContain('versions: [2]');
    await showVersion(join(directory, 'demo-1'), next);
    expect(written('config.pbtxt')).toContain('versions: [3]');
    expect(readdirSync(directory)).toEqual(['demo-1']);
  });

  it("can have a Python model of the operator's own", async () => {
    const file = join(directory, 'mine.py');
    writeFileSync(file, '# a model');
    await launch({ args: { backend: 'python', 'model-file': file, 'step-ms': 3 } });
    expect(written('config.pbtxt')).toContain('backend: "python"');
    expect(written('1/model.py')).toBe('# a model');
    expect(modelJson()).toMatchObject({ step_ms: 3 });
    expect(modelJson()).not.toHaveProperty('backend');
  });

  it.each([
    ['model', 'x', /no such argument: the model's `source` decides it/],
    ['tensor-parallel-size', 4, /no such argument: the plan decides it/],
    ['backend', 'onnxruntime', /engine.args.backend: got "onnxruntime", allowed is "vllm", or "python"/],
    ['backend', 'python', /engine.args.model-file: got nothing, allowed is the absolute path/],
    ['model-file', '/x.py', /absent unless backend is "python"/],
  ])('refuses the argument %s: %s', async (name, value, message) => {
    await expect(launch({ args: { [name]: value } })).rejects.toThrow(message);
  });
});

describe('metrics of Triton', () => {
  it('are those of the backend where it has its own', () => {
    const text = `nv_inference_request_success{model="demo",version="1"} 7
nv_inference_request_failure{model="demo",reason="BACKEND",version="1"} 1
nv_inference_pending_request_count{model="demo",version="1"} 0
vllm:num_requests_running{model="demo",version="1"} 4
vllm:num_requests_running{model="demo",version="2"} 1
vllm:num_requests_waiting{model="demo",version="1"} 2
vllm:gpu_cache_usage_perc{model="demo",version="1"} 0.25
vllm:num_preemptions_total{model="demo",version="1"} 3
vllm:prompt_tokens_total{model="demo",version="1"} 100
vllm:generation_tokens_total{model="demo",version="1"} 900`;
    expect(parseTritonMetrics(text)).toEqual({
      ...{ running: 5, waiting: 2, kvCacheUsage: 0.25, preemptions: 3, promptTokens: 100, generationTokens: 900 },
      ...{ requestsFinished: 8, kvCacheTokens: null },
    });
  });

  it('say little of another model, and nothing is made up', () => {
    const text = 'nv_inference_request_success{model="demo",version="1"} 7\nnv_inference_pending_request_count{model="demo",version="1"} 2';
    expect(parseTritonMetrics(text)).toEqual({
      ...{ running: null, waiting: 2, kvCacheUsage: null, preemptions: null, promptTokens: null, generationTokens: null },
      ...{ requestsFinished: 7, kvCacheTokens: null },
    });
  });

  it('lie two ports above its endpoint', () => {
    expect(tritonMetricsUrl('http://10.0.0.1:8000')).toBe('http://10.0.0.1:8002/metrics');
    expect(tritonMetricsUrl('http://[::1]:9000/')).toBe('http://[::1]:9002/metrics');
  });
});

it("names its model after the deployment, and after the model where the server is someone else's", () => {
  expect(tritonModelName({ deployment: 'chat', model: 'llama' })).toBe('chat');
  expect(tritonModelName({ deployment: 'external/h1', model: 'llama' })).toBe('llama');
});

describe('the chat template', () => {
  const files = (contents: Record<string, string | object>) => {
    const folder = join(directory, 'model');
    mkdirSync(folder);
    for (const [name, content] of Object.entries(contents))
      writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
    return readChatTemplate(folder);
  };

  it('is read with its tokens, which may be objects', async () => {
    const config = { chat_template: '{{ x }}', bos_token: { content: '<s>' }, eos_token: '</s>' };
    expect(await files({ 'tokenizer_config.json': config })).toEqual({ template: '{{ x }}', bosToken: '<s>', eosToken: '</s>' });
  });

  it('may be one of several, or lie in a file of its own', async () => {
    const several = [
      { name: 'tool_use', template: 'T' },
      { name: 'default', template: 'D' },
    ];
    const config = { chat_template: several, bos_token: null, eos_token: '</s>' };
    expect(await files({ 'tokenizer_config.json': config })).toEqual({ template: 'D', bosToken: '', eosToken: '</s>' });
    writeFileSync(join(directory, 'model', 'chat_template.jinja'), 'J');
    expect(await readChatTemplate(join(directory, 'model'))).toMatchObject({ template: 'J' });
  });

  it('is null where there is none', async () => {
    expect(await files({ 'tokenizer_config.json': { bos_token: '<s>' } })).toBeNull();
    writeFileSync(join(directory, 'model', 'tokenizer_config.json'), '{ no json');
    expect(await readChatTemplate(join(directory, 'model'))).toBeNull();
    expect(await readChatTemplate(join(directory, 'nowhere'))).toBeNull();
  });
});
