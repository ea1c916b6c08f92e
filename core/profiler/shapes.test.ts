import { describe, expect, it } from 'vitest';
import { KNOWN_CONFIGS, modelShape } from '../domain/model-spec.ts';
import { measuredStepTime } from '../domain/step-time.ts';
import { profileShapes } from './shapes.ts';

const small = modelShape('llama-3.1-8b', KNOWN_CONFIGS['llama-3.1-8b']!, 'bf16');
const large = modelShape('llama-3.1-70b', KNOWN_CONFIGS['llama-3.1-70b']!, 'bf16');

describe('profileShapes', () => {
  it('lists every width of every kind, and says where the coefficients come from', () => {
    const profiles = profileShapes(small, ['h100', 'T4'], []);
    expect(profiles.map((p) => [p.accelerator, p.tensorParallel, p.source])).toEqual([
      ['H100-SXM', 1, 'measured'],
      ['H100-SXM', 2, 'measured'],
      ['H100-SXM', 4, 'derived'],
      ['H100-SXM', 8, 'derived'],
      ['T4', 1, 'derived'],
      ['T4', 2, 'derived'],
      ['T4', 4, 'derived'],
      ['T4', 8, 'derived'],
    ]);
    expect(profiles[0]!.decodeStepMs).toBeGreaterThan(6);
    expect(profiles[0]!.decodeStepMs).toBeLessThan(12);
    expect(profiles[4]!.kvCacheTokens).toBe(0);
    expect(profiles[5]!.kvCacheTokens).toBeGreaterThan(0);
  });

  it('fits 70B on four H100 and not on one', () => {
    const fits = profileShapes(large, ['H100-SXM'], []).map((p) => p.kvCacheTokens > 0);
    expect(fits).toEqual([false, true, true, true]);
  });

  it('takes what a replica was measured to do before what the catalog expects', () => {
    const prior = measuredStepTime('llama-3.1-8b', 'L40S', 1)!;
    const slow = { ...prior, source: 'calibrated' as const, coefficients: { ...prior.coefficients, d0: 44 } };
    const [profile] = profileShapes(small, ['L40S'], [slow]);
    expect(profile).toMatchObject({ source: 'calibrated', coefficients: { d0: 44 } });
    expect(profile!.decodeStepMs).toBeGreaterThan(44);
  });

  it('leaves out widths that do not divide the heads', () => {
    const odd = { ...small, attentionHeads: 12 };
    expect(profileShapes(odd, ['H100-SXM'], []).map((p) => p.tensorParallel)).toEqual([1, 2, 4]);
  });

  it('names an accelerator that it does not know', () => {
    expect(() => profileShapes(small, ['H9000'], [])).toThrow("there is no accelerator kind named 'H9000'");
  });
});
