import { describe, expect, it } from 'vitest';
import { ErrorAnswer } from './openai-error.ts';

function said(status: number, ...chunks: string[]) {
  const answer = new ErrorAnswer(status, { 'content-type': 'text/html', 'content-length': '9', 'retry-after': '3' });
  for (const chunk of chunks) expect(answer.push(Buffer.from(chunk))).toEqual({ bytes: null, outputs: 0 });
  const { verdict, rest } = answer.end();
  return { verdict, text: rest!.toString(), headers: answer.headers };
}
const errorOf = (status: number, ...chunks: string[]) => JSON.parse(said(status, ...chunks).text).error;

describe("an engine's refusal", () => {
  it('that has the form is passed byte for byte, without the length of another encoding', () => {
    const body = '{ "error":  {"message":"too long","type":"BadRequestError","code":400} }';
    expect(said(400, body.slice(0, 9), body.slice(9))).toEqual({
      verdict: 'rejected',
      text: body,
      headers: { 'content-type': 'application/json', 'retry-after': '3' },
    });
  });

  it.each([
    ["FastAPI's", '{"detail":"Not Found"}', 'Not Found'],
    ["FastAPI's of a field", '{"detail":[{"loc":["body"]}]}', '[{"loc":["body"]}]'],
    ["older vLLM's", '{"object":"error","message":"no such model"}', 'no such model'],
    ["TEI's", '{"error":"batch too large","error_type":"Validation"}', 'batch too large'],
    ['plain text', 'no\n', 'no'],
    ['a page', '<html>..</html>', 'status 404'],
    ['nothing', '', 'status 404'],
    ['JSON without words', '[null]', '[null]'],
  ])('is put into the form: %s', (_, body, words) => {
    expect(errorOf(404, body)).toEqual({
      message: `the engine refuses the request: ${words}`,
      type: 'invalid_request_error',
      code: 'engine_rejected',
      param: null,
    });
  });

  it('for now is one of rates, and says when to come again', () => {
    expect(errorOf(429, 'busy')).toMatchObject({ type: 'rate_limit_error', code: 'engine_rejected' });
    expect(new ErrorAnswer(429, {}).headers['retry-after']).toBe('1');
    expect(new ErrorAnswer(503, { 'retry-after': '7' }).headers['retry-after']).toBe('7');
    expect(new ErrorAnswer(400, {}).headers).not.toHaveProperty('retry-after');
  });

  it('is a failure from 500 on, and short however long it was', () => {
    expect(said(503, 'busy').verdict).toBe('failed');
    expect(errorOf(503, 'busy')).toMatchObject({ type: 'server_error', code: 'engine_failed' });
    expect(errorOf(500, 'x'.repeat(5000)).message.length).toBeLessThan(600);
    expect(errorOf(500, 'x'.repeat(60_000), 'x'.repeat(60_000)).message).toContain('status 500');
  });
});
