import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { TokenEstimate } from '../body/token-estimate.ts';
import { RequestError } from '../errors.ts';
import { identify, requestIdOf } from './identity.ts';

const request = (headers: Record<string, string>) => ({ headers }) as unknown as IncomingMessage;

describe('identity', () => {
  it('has defaults', () => {
    expect(identify({}, null)).toEqual({ tenant: 'default', class: 'standard', targets: null });
  });
  it('prefers our headers, then canonical, then older names', () => {
    const older = { 'x-gateway-inference-objective': 'c', 'x-gateway-inference-fairness-id': 't3', 'x-slo-ttft-ms': '7' };
    const canonical = { 'x-llm-d-inference-objective': 'b', 'x-llm-d-inference-fairness-id': 't2', 'x-llm-d-slo-ttft-ms': '250.5' };
    expect(identify(older, null)).toEqual({ tenant: 't3', class: 'c', targets: { ttftMs: 7 } });
    expect(identify({ ...older, ...canonical }, null)).toEqual({ tenant: 't2', class: 'b', targets: { ttftMs: 250.5 } });
    expect(identify({ ...canonical, 'x-slo-class': 'a', 'x-tenant-id': 't1', 'x-slo-e2e-ms': '9' }, null)).toMatchObject({
      tenant: 't1',
      class: 'a',
      targets: { ttftMs: 250.5, e2eMs: 9 },
    });
  });
  it("does not trust a tenant header beside a tenant's own key", () => {
    expect(identify({ 'x-tenant-id': 'other' }, 'mine').tenant).toBe('mine');
  });
  it.each([
    ['x-slo-class', 'Not A Name'],
    ['x-tenant-id', 'a/b'],
    ['x-llm-d-slo-ttft-ms', '-5'],
    ['x-llm-d-slo-ttft-ms', '1e9'],
    ['x-slo-tpot-ms', 'soon'],
    ['x-slo-e2e-ms', '0'],
    ['x-slo-e2e-ms', ''],
  ])('refuses %s: %s by name', (name, value) => {
    expect(() => identify({ [name]: value }, null)).toThrow(RequestError);
    expect(() => identify({ [name]: value }, null)).toThrow(name);
  });
  it('echoes a request id that is safe in headers and logs, cut to a bound', () => {
    expect(requestIdOf(request({ 'x-request-id': 'abc:1' }), 'ours')).toBe('abc:1');
    expect(requestIdOf(request({ 'x-request-id': 'x'.repeat(500) }), 'ours')).toHaveLength(128);
    expect(requestIdOf(request({ 'x-request-id': 'a b' }), 'ours')).toBe('ours');
    expect(requestIdOf(request({}), 'ours')).toBe('ours');
  });
});

describe('the token estimate', () => {
  it('starts from typical text and follows what engines report', () => {
    const estimate = new TokenEstimate();
    const prompt = { characters: 4200, tokens: 0 };
    expect(estimate.inputTokens('m', prompt)).toBe(1000);
    for (let i = 0; i < 200; i++) estimate.learn('m', prompt, 2100);
    expect(estimate.inputTokens('m', prompt)).toBeCloseTo(2100, -2);
    expect(estimate.inputTokens('other', prompt)).toBe(1000);
  });
  it('counts token ids as they are, and is never 0 nor misled by absurd reports', () => {
    const estimate = new TokenEstimate();
    expect(estimate.inputTokens('m', { characters: 0, tokens: 7 })).toBe(7);
    expect(estimate.inputTokens('m', { characters: 0, tokens: 0 })).toBe(1);
    for (const reported of [0, -5, 1e9]) estimate.learn('m', { characters: 1000, tokens: 0 }, reported);
    expect(estimate.inputTokens('m', { characters: 1000, tokens: 0 })).toBeLessThan(300);
  });
});
