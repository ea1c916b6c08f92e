import { describe, expect, it } from 'vitest';
import { UellmError } from '../domain/errors.ts';
import { createPredictor, PREDICTORS } from './predictors.ts';
import { createRandom, lognormal } from './random.ts';

const request = (name: string, outputTokens: number) => ({ class: name, inputTokens: 500, outputTokens });
/** Two classes of answers: around 40 and around 800 tokens. */
function observed(name: string, count: number) {
  const random = createRandom('predictors');
  const predictor = createPredictor(name);
  for (let i = 0; i < count; i++) {
    predictor.observe(request('short', Math.ceil(lognormal(random, 40, 0.4))), i);
    predictor.observe(request('long', Math.ceil(lognormal(random, 800, 0.4))), i);
  }
  return predictor;
}

describe('predictors', () => {
  it('are refused by names that none has', () => {
    expect(() => createPredictor('best')).toThrow(UellmError);
    for (const name of PREDICTORS) expect(() => createPredictor('best')).toThrow(name);
  });
  it('of the oracle know, and learn nothing', () => {
    expect(observed('oracle', 10).predict(request('short', 1234))).toEqual({ p50: 1234, p90: 1234 });
  });
  it.each(['learned', 'class-mean'])('%s tells classes apart once it has seen them, and never looks at the answer', (name) => {
    const predictor = observed(name, 500);
    const [short, long] = [predictor.predict(request('short', 1)), predictor.predict(request('long', 1))];
    expect(short.p50).toBeGreaterThan(30);
    expect(short.p50).toBeLessThan(60);
    expect(short.p90).toBeGreaterThan(short.p50);
    expect(long.p50).toBeGreaterThan(600);
    expect(long.p50).toBeLessThan(1100);
    expect(predictor.predict(request('short', 9999))).toEqual(short);
  });
  it.each(['learned', 'class-mean'])('%s starts from published constants', (name) => {
    const { p50, p90 } = createPredictor(name).predict(request('new', 1));
    expect(p50).toBeGreaterThan(100);
    expect(p50).toBeLessThan(250);
    expect(p90).toBeGreaterThan(p50);
  });
  it('class-mean stands single tokens and no deviation', () => {
    const predictor = createPredictor('class-mean');
    for (let i = 0; i < 20; i++) predictor.observe(request('one', 1), i);
    expect(predictor.predict(request('one', 1))).toEqual({ p50: 1, p90: 1 });
  });
});
