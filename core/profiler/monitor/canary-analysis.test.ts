import { describe, expect, it } from 'vitest';
import { createRandom } from '../../simulator/random.ts';
import { analyseCanary, type CanaryEvidence, type Look, type QuantileEvidence, STEP_LEVEL } from './canary-analysis.ts';

const DUE: Look = { sort: 'due', number: 1 };

interface Case {
  canary?: Partial<CanaryEvidence['canary']>;
  stable?: Partial<CanaryEvidence['stable']>;
  share?: number | null;
  quantiles?: QuantileEvidence[];
}

/** 200 requests on the new revision beside 800, all well, unless the case says otherwise. */
function evidence({ canary = {}, stable = {}, share = 0.2, quantiles = [] }: Case = {}): CanaryEvidence {
  const side = (requests: number, given: Partial<CanaryEvidence['canary']>) => {
    const filled = { requests, failed: 0, load: 1, ...given };
    return { attained: filled.requests - filled.failed, started: filled.requests, ...filled };
  };
  return { canary: side(200, canary), stable: side(800, stable), share, quantiles };
}

const ttft = (canary: [above: number, ms: number], stable: [above: number, ms: number]): QuantileEvidence => ({
  metric: 'TTFT',
  quantile: 0.9,
  canary: { requests: 200, above: canary[0], ms: canary[1] },
  stable: { requests: 800, above: stable[0], ms: stable[1] },
});

describe('a canary is', () => {
  it.each<[string, 'good' | 'bad' | 'unsure', Case]>([
    ['good where all went as before', 'good', {}],
    ['good with failures as before', 'good', { canary: { failed: 20 }, stable: { failed: 80 } }],
    ['bad with more failures', 'bad', { canary: { failed: 20 }, stable: { failed: 8 } }],
    ['good with a difference that chance makes', 'good', { canary: { failed: 5 }, stable: { failed: 4 } }],
    [
      'good with a sure, but trivial difference',
      'good',
      { canary: { requests: 20_000, failed: 300 }, stable: { requests: 80_000, failed: 400 } },
    ],
    ['bad where its SLO is missed more often', 'bad', { canary: { attained: 150 }, stable: { attained: 792 } }],
    ['unsure of nothing', 'unsure', { canary: { requests: 0 }, stable: { requests: 0 } }],
    ['unsure of a few, even if all went well', 'unsure', { canary: { requests: 49 }, stable: { requests: 196 } }],
    ['bad with few, if all of them fail', 'bad', { canary: { requests: 8, failed: 8 }, stable: { requests: 152 }, share: 0.05 }],
    ['bad where it keeps none of its requests', 'bad', { canary: { requests: 0 }, stable: { requests: 300 }, share: 0.1 }],
    [
      'not bad for want of requests where it has no share to keep',
      'unsure',
      { canary: { requests: 0 }, stable: { requests: 300 }, share: null },
    ],
    ['not bad while its requests are only long', 'unsure', { canary: { requests: 0, started: 60 }, stable: { requests: 240 } }],
    ['bad where its tail is slower', 'bad', { quantiles: [ttft([60, 400], [40, 200])] }],
    ['good where it is slower by little', 'good', { quantiles: [ttft([60, 240], [40, 200])] }],
    ['good where it is slower by a few milliseconds', 'good', { quantiles: [ttft([60, 15], [40, 5])] }],
    ['good where it is slower under more load, within its SLO', 'good', { canary: { load: 2 }, quantiles: [ttft([60, 400], [40, 200])] }],
  ])('%s', (_, verdict, given) => {
    expect(analyseCanary(evidence(given), DUE)).toMatchObject({ verdict });
  });
});

describe('its reason', () => {
  it('says what is worse, then all figures', () => {
    const { why } = analyseCanary(
      evidence({ canary: { failed: 20 }, stable: { failed: 8 }, quantiles: [ttft([20, 210], [80, 200])] }),
      DUE,
    );
    expect(why).toBe(
      '10.0 % of 200 requests failed, 1.0 % of 800 on the old revision ' +
        '(new and old: 200 and 800 requests, failed 10.0 % and 1.0 %, attained 90.0 % and 99.0 %, TTFT p90 210 ms and 200 ms)',
    );
  });

  it.each([
    ['of other accelerators', evidence(), /no requests on the same accelerators/],
    ['under more load', evidence({ canary: { load: 2 }, quantiles: [ttft([20, 210], [80, 200])] }), /bear 2\.0 times the load/],
    ['of nothing', evidence({ canary: { requests: 0 } }), /failed none and 0\.0 %.*no latencies/],
  ])('says that latencies were not compared: %s', (_, given, text) => {
    expect(analyseCanary(given, DUE).why).toMatch(text);
  });
});

describe('many looks', () => {
  const LOOKS = 30;
  const STEPS = 1000;

  /** How often of `STEPS` steps with 30 looks each, 20 requests at 20 % to each look, a revision with this share of failures goes back. */
  function sentBack(canaryFails: number, stableFails: number, seed: number): { share: number; requests: number } {
    const random = createRandom(seed);
    const some = (n: number, probability: number) => Array.from({ length: n }, () => random()).filter((x) => x < probability).length;
    let back = 0;
    let requests = 0;
    for (let step = 0; step < STEPS; step++) {
      const canary = { requests: 0, failed: 0 };
      const stable = { requests: 0, failed: 0 };
      for (let number = 1; number <= LOOKS; number++) {
        canary.requests += 20;
        canary.failed += some(20, canaryFails);
        stable.requests += 80;
        stable.failed += some(80, stableFails);
        if (analyseCanary(evidence({ canary, stable }), { sort: 'during', number }).verdict !== 'bad') continue;
        back++;
        requests += canary.requests;
        break;
      }
    }
    return { share: back / STEPS, requests: requests / back };
  }

  it('send an equal revision back no more often than the level says', () => {
    expect(sentBack(0.05, 0.05, 1).share).toBeLessThanOrEqual(STEP_LEVEL);
  });

  it('send back what fails clearly more often, soon', () => {
    const { share, requests } = sentBack(0.2, 0.02, 2);
    expect(share).toBe(1);
    expect(requests).toBeLessThan(150);
  });
});
