import { describe, expect, it } from 'vitest';
import { failureOf } from '../failure.ts';
import { parseModels } from './models-file.ts';

const DEMAND = { requestsPerSecond: 2, inputTokens: 1000, outputTokens: 200 };
const MODEL = { name: 'llama-3.1-8b', demand: DEMAND };

function issueOf(models: unknown): string {
  try {
    parseModels(JSON.stringify(models), 'models.json');
  } catch (error) {
    const { text, exitCode } = failureOf(error);
    expect(exitCode).toBe(2);
    return text;
  }
  throw new Error('it was taken');
}

describe('a models file', () => {
  it('is a list of models with what is asked of them, defaults filled in', () => {
    const { models, deployments } = parseModels(
      `models:
  - name: llama-3.1-8b
    demand: { requestsPerSecond: 2, inputTokens: 1000, outputTokens: 200 }
    slo: { tpotMs: 50 }
  - name: mine
    config: { architectures: [LlamaForCausalLM], num_hidden_layers: 2, hidden_size: 512, num_attention_heads: 8, num_key_value_heads: 2,
      intermediate_size: 1024, vocab_size: 32000, max_position_embeddings: 8192 }
    dtype: fp8
    demand: { requestsPerSecond: 0, inputTokens: 10, outputTokens: 20 }
    replicas: { min: 2, max: 4 }
    placement: { accelerators: [h100], spread: none, antiAffinity: [mine] }
`,
      'models.yaml',
    );
    expect(models['llama-3.1-8b']!.parameters).toBeCloseTo(8.03e9, -8);
    expect(models.mine).toMatchObject({ layers: 2, kvHeads: 2 });
    expect(deployments).toMatchObject([
      { spec: { name: 'llama-3.1-8b', replicas: { min: 0, max: 100_000 } }, targets: { tpotMs: 50, attainment: 0.9 }, demand: DEMAND },
      {
        spec: {
          name: 'mine',
          replicas: { min: 2, max: 4 },
          placement: { accelerators: ['H100-SXM'], spread: 'none', antiAffinity: ['mine'] },
        },
      },
    ]);
    expect(deployments[1]!.targets).toBeNull();
  });

  it.each([
    ['no models', { models: [] }, 'models: '],
    ['a list alone', [MODEL], 'the input: '],
    ['fields that nobody knows', { models: [{ ...MODEL, sloo: {} }] }, 'models[0].sloo: got {}'],
    [
      'a demand of less than nothing',
      { models: [{ ...MODEL, demand: { ...DEMAND, requestsPerSecond: -1 } }] },
      'models[0].demand.requestsPerSecond: got -1, allowed is a number of at least 0',
    ],
    ['no demand', { models: [{ name: 'llama-3.1-8b' }] }, 'models[0].demand: got nothing'],
    [
      'a demand that is no number',
      { models: [{ ...MODEL, demand: { ...DEMAND, requestsPerSecond: 'many' } }] },
      'models[0].demand.requestsPerSecond: got "many"',
    ],
    [
      'prompts of no length',
      { models: [{ ...MODEL, demand: { ...DEMAND, inputTokens: 0 } }] },
      'models[0].demand.inputTokens: got 0, allowed is a number of at least 1',
    ],
    ['hardly a token', { models: [{ ...MODEL, demand: { ...DEMAND, inputTokens: 1e-9 } }] }, 'models[0].demand.inputTokens: got 1e-9'],
    [
      'a model to keep apart from that the file does not name',
      { models: [{ ...MODEL, placement: { antiAffinity: ['nobody'] } }] },
      'models[0].placement.antiAffinity[0]: got "nobody", allowed is a model of this file: llama-3.1-8b',
    ],
    ['answers of no length', { models: [{ ...MODEL, demand: { ...DEMAND, outputTokens: -3 } }] }, 'models[0].demand.outputTokens: got -3'],
    ['an SLO without a latency', { models: [{ ...MODEL, slo: { attainment: 0.9 } }] }, 'models[0].slo'],
    ['a latency below nothing', { models: [{ ...MODEL, slo: { tpotMs: -5 } }] }, 'models[0].slo.tpotMs: got -5'],
    [
      'an attainment of more than all',
      { models: [{ ...MODEL, slo: { tpotMs: 50, attainment: 1.5 } }] },
      'models[0].slo.attainment: got 1.5',
    ],
    [
      'fewer replicas at most than at least',
      { models: [{ ...MODEL, replicas: { min: 3, max: 2 } }] },
      'models[0].replicas.max: got 2, allowed is a number of at least replicas.min',
    ],
    [
      'an accelerator that is unknown',
      { models: [{ ...MODEL, placement: { accelerators: ['H9000'] } }] },
      'models[0].placement.accelerators[0]: got "H9000", allowed is one of T4',
    ],
    [
      'a model that is unknown',
      { models: [{ ...MODEL, name: 'nobodys' }] },
      'models[0].config: got nothing, allowed is a Hugging Face config.json; only llama-3.1-8b',
    ],
    [
      'a config that says too little',
      { models: [{ ...MODEL, config: { architectures: ['LlamaForCausalLM'] } }] },
      'models[0].config.num_hidden_layers: got nothing',
    ],
    ['weights of a type that is unknown', { models: [{ ...MODEL, dtype: 'int3' }] }, 'models[0].dtype: got "int3"'],
    ['two of one name', { models: [MODEL, MODEL] }, 'allowed is models of different names'],
  ])('names the field of %s', (_, given, told) => {
    expect(issueOf(given)).toContain(told);
  });

  it('has a note for a quantisation that is not known, with what is counted instead', () => {
    const config = { num_hidden_layers: 2, hidden_size: 512, num_attention_heads: 8, intermediate_size: 1024, vocab_size: 32_000 };
    const told = (quantization_config: object) =>
      parseModels(JSON.stringify({ models: [{ ...MODEL, config: { ...config, quantization_config } }] }), 'models.json').notes;
    expect(told({ quant_method: 'gptq' })).toEqual([]);
    const [note] = told({ quant_method: 'hokuspokus' });
    expect(note).toMatch(
      /^llama-3\.1-8b: quantization_config\.quant_method of its config is "hokuspokus", allowed is one of gptq, .*: its weights are counted as bf16$/,
    );
    expect(told({ quant_method: 'bitsandbytes' })).toMatchObject([expect.stringContaining('what bitsandbytes says of its bits')]);
  });

  it('may share what its models have in common by a merge key', () => {
    const text = `models:
  - &first { name: llama-3.1-8b, demand: { requestsPerSecond: 2, inputTokens: 10, outputTokens: 20 } }
  - { <<: *first, name: qwen3-32b }
`;
    expect(parseModels(text, 'models.yaml').deployments.map((d) => [d.spec.name, d.demand.inputTokens])).toEqual([
      ['llama-3.1-8b', 10],
      ['qwen3-32b', 10],
    ]);
  });

  it('takes no NaN and no infinity from YAML', () => {
    for (const rate of ['.nan', '.inf', '-.inf']) {
      const text = `models: [{ name: llama-3.1-8b, demand: { requestsPerSecond: ${rate}, inputTokens: 10, outputTokens: 20 } }]`;
      expect(() => parseModels(text, 'models.yaml')).toThrow(/models\[0\]\.demand\.requestsPerSecond/);
    }
  });

  it('says what is wrong with text that is neither YAML nor JSON', () => {
    expect(() => parseModels('models: [', 'models.yaml')).toThrow(/models\.yaml/);
  });
});
