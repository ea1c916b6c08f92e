import { describe, expect, it } from 'vitest';
import { type Answer, planAnswer } from './answer.ts';
import type { GenerationRequest } from './request.ts';

const request = (more: Partial<GenerationRequest> = {}): GenerationRequest => ({
  api: 'chat',
  model: 'm',
  content: 'user: Tell me about the sea.',
  inputTokens: 10,
  maxTokens: null,
  minTokens: 0,
  ignoreEos: false,
  exactTokens: null,
  stop: [],
  choices: 1,
  structure: null,
  priority: 0,
  stream: false,
  includeUsage: false,
  ...more,
});
const textOf = (answer: Answer) => Array.from({ length: answer.outputTokens }, answer.nextPiece).join('');

describe('length', () => {
  it('follows from content and seed, with a median near 150', () => {
    const lengths = Array.from(
      { length: 2001 },
      (_, i) => planAnswer(request({ content: `question ${i}` }), 's', 100_000, 1).outputTokens,
    ).sort((a, b) => a - b);
    expect(lengths[1000]).toBeGreaterThan(135);
    expect(lengths[1000]).toBeLessThan(165);
    expect(planAnswer(request(), 's', 1000, 1).outputTokens).toBe(planAnswer(request(), 's', 1000, 1).outputTokens);
  });

  it('ends by length at the limit, else by itself', () => {
    const free = planAnswer(request(), 's', 100_000, 1);
    expect(free.finishReason).toBe('stop');
    expect(planAnswer(request(), 's', 5, 1)).toMatchObject({ outputTokens: 5, finishReason: 'length' });
    expect(planAnswer(request(), 's', free.outputTokens, 1).finishReason).toBe('stop');
  });

  it('goes to the limit under ignore_eos, and at least to min_tokens', () => {
    expect(planAnswer(request({ ignoreEos: true }), 's', 777, 1)).toMatchObject({ outputTokens: 777, finishReason: 'length' });
    expect(planAnswer(request({ minTokens: 9000 }), 's', 10_000, 1).outputTokens).toBe(9000);
  });

  it('is exact where the request says so, and stretched by a fault', () => {
    expect(planAnswer(request({ exactTokens: 33 }), 's', 100, 1)).toMatchObject({ outputTokens: 33, finishReason: 'stop' });
    expect(planAnswer(request({ exactTokens: 33, ignoreEos: true }), 's', 100, 1).outputTokens).toBe(33);
    expect(planAnswer(request({ exactTokens: 33 }), 's', 100, 2).outputTokens).toBe(66);
    expect(planAnswer(request({ exactTokens: 33 }), 's', 100, 4)).toMatchObject({ outputTokens: 100, finishReason: 'length' });
  });
});

describe('text', () => {
  it('says first that it is simulated, and repeats itself for the same content only', () => {
    const text = textOf(planAnswer(request({ exactTokens: 60 }), 's', 100, 1));
    expect(text).toMatch(/^This is simulated text, not the output of a model\. \w+ \w+/);
    expect(textOf(planAnswer(request({ exactTokens: 60 }), 's', 100, 1))).toBe(text);
    expect(textOf(planAnswer(request({ exactTokens: 60, content: 'other' }), 's', 100, 1))).not.toBe(text);
  });

  it('ends before the first stop string, which spans tokens and counts as generated', () => {
    const answer = planAnswer(request({ exactTokens: 60, stop: ['nowhere', 'ated te', ' model'] }), 's', 100, 1);
    expect(answer).toMatchObject({ outputTokens: 4, finishReason: 'stop', stopReason: 'ated te' });
    expect(textOf(answer)).toBe('This is simul');
  });

  it('looks for stop strings after min_tokens only', () => {
    const answer = planAnswer(request({ exactTokens: 60, minTokens: 4, stop: ['is', '.'] }), 's', 100, 1);
    expect(answer).toMatchObject({ outputTokens: 12, stopReason: '.' });
    expect(textOf(answer)).toBe('This is simulated text, not the output of a model');
  });

  it('is whole where no stop string is met', () => {
    expect(planAnswer(request({ exactTokens: 12, stop: ['nowhere'] }), 's', 100, 1)).toMatchObject({ outputTokens: 12, stopReason: null });
  });
});
