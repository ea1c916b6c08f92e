import fc from 'fast-check';
import { expect, it } from 'vitest';
import { acceleratorKind } from '../../domain/accelerators.ts';
import { KNOWN_CONFIGS, modelShape } from '../../domain/model-spec.ts';
import { derivedStepTime, priorStepTime, stepTimeMs } from '../../domain/step-time.ts';
import { STEP_TERMS, splitStepTime, stepTerms, TIME_RESOURCES, type TimeResource, withTwice } from './step-terms.ts';

const NVLINK = 300e9;
const PCIE = 32e9;
const RESOURCES = Object.keys(TIME_RESOURCES) as TimeResource[];

const splitOf = (kind: string, model: string, tensorParallel: number, link = NVLINK) => {
  const shape = modelShape(model, KNOWN_CONFIGS[model]!, 'bf16');
  const accelerator = acceleratorKind(kind);
  return splitStepTime(priorStepTime(shape, accelerator, tensorParallel).coefficients, shape, accelerator, tensorParallel, link);
};

const split = fc
  .tuple(fc.constantFrom('H100-SXM', 'L40S', 'T4', 'MI300X'), fc.constantFrom('llama-3.1-8b', 'qwen3-32b'), fc.constantFrom(1, 2, 4))
  .map(([kind, model, width]) => splitOf(kind, model, width, kind === 'L40S' ? PCIE : NVLINK));
const load = fc.record({
  prefillTokens: fc.integer({ min: 0, max: 2048 }),
  prefillSquares: fc.integer({ min: 0, max: 1e8 }),
  decodeSequences: fc.integer({ min: 0, max: 256 }),
  decodeContextTokens: fc.integer({ min: 0, max: 500_000 }),
});

it('adds up to the step, and no term is below 0', () => {
  fc.assert(
    fc.property(split, load, (s, l) => {
      const terms = stepTerms(s, l);
      expect(STEP_TERMS.reduce((sum, term) => sum + terms[term], 0)).toBeCloseTo(stepTimeMs(s.coefficients, l), 6);
      for (const term of STEP_TERMS) expect(terms[term]).toBeGreaterThanOrEqual(-1e-9);
    }),
  );
});

it('takes from a step with twice of a resource at most half of what went to it, unless the other of an overlap was hidden', () => {
  fc.assert(
    fc.property(split, load, fc.constantFrom(...RESOURCES), (s, l, resource) => {
      const saved = stepTimeMs(s.coefficients, l) - stepTimeMs(withTwice(s, resource), l);
      expect(saved).toBeGreaterThanOrEqual(-1e-9);
      const terms = stepTerms(s, l);
      const spent = TIME_RESOURCES[resource].reduce((sum, term) => sum + terms[term], 0);
      expect(saved).toBeLessThanOrEqual(spent / 2 + 1e-6);
    }),
  );
});

it('knows of links between the accelerators of a replica, and of no others', () => {
  const decode = { prefillTokens: 0, prefillSquares: 0, decodeSequences: 32, decodeContextTokens: 32_000 };
  const linkShare = (s: ReturnType<typeof splitOf>) => stepTerms(s, decode).link / stepTimeMs(s.coefficients, decode);
  expect(linkShare(splitOf('L40S', 'llama-3.1-8b', 1, PCIE))).toBe(0);
  expect(withTwice(splitOf('L40S', 'llama-3.1-8b', 1, PCIE), 'link')).toEqual(splitOf('L40S', 'llama-3.1-8b', 1, PCIE).coefficients);
  expect(linkShare(splitOf('L40S', 'llama-3.1-8b', 4, PCIE))).toBeGreaterThan(0.4);
  expect(linkShare(splitOf('H100-SXM', 'llama-3.1-8b', 4))).toBeLessThan(0.2);
});

it('finds in what the catalog derives the very parts that it was made of', () => {
  const shape = modelShape('llama-3.1-8b', KNOWN_CONFIGS['llama-3.1-8b']!, 'bf16');
  const accelerator = acceleratorKind('L40S');
  const at = (link: number) => derivedStepTime(shape, accelerator, 4, link).coefficients;
  const slow = splitStepTime(at(PCIE), shape, accelerator, 4, PCIE);
  // The same shares of a link's bandwidth, half of it: what is more is what the link takes.
  expect(slow.linkMsPerPrefillToken).toBeCloseTo(at(PCIE / 2).rc - at(PCIE).rc, 9);
  expect(slow.linkMsPerSequence).toBeCloseTo(slow.linkMsPerPrefillToken, 9);
});
