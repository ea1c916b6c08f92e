import { describe, expect, it } from 'vitest';
import { tritonError, tritonEvent } from '../../test/support/triton.ts';
import { type Endpoint, readRequest } from '../body/request.ts';
import { TritonAnswer } from './triton-answer.ts';

function answer(body: object, endpoint: Endpoint = 'completion', status = 200): TritonAnswer {
  const request = readRequest(endpoint, Buffer.from(JSON.stringify({ model: 'my-model', prompt: 'x', messages: [], ...body })));
  return new TritonAnswer(status, {
    request,
    requestId: 'r-1',
    path: '',
    headers: {},
    policy: { priority: 0 },
    acceptedAtMs: 1_700_000_000_900,
  });
}
const chunk = (object: string, rest: string) =>
  `data: {"id":"${object.startsWith('chat') ? 'chatcmpl' : 'cmpl'}-r-1","object":"${object}","created":1700000000,"model":"my-model","choices":[${rest}}\n\n`;
const text = (passed: { bytes: Buffer | null }) => passed.bytes?.toString() ?? '';
const ended = (of: TritonAnswer) => {
  const { verdict, rest } = of.end();
  return { verdict, rest: rest?.toString() ?? null };
};

/** As a server of version 2.51 sent them. */
const RECORDED =
  'data: {"finish_reason":"None","id":"req-1","model_name":"demo","model_version":"1","num_input_tokens":2,"num_output_tokens":1,"text_output":"cry"}\n\n' +
  'data: {"finish_reason":"None","id":"req-1","model_name":"demo","model_version":"1","num_input_tokens":2,"num_output_tokens":1,"text_output":" home"}\n\n' +
  'data: {"finish_reason":"length","id":"req-1","model_name":"demo","model_version":"1","num_input_tokens":2,"num_output_tokens":1,"text_output":" over"}\n\n';

describe('a stream of Triton’s', () => {
  it('becomes chunks of a completion', () => {
    const of = answer({ stream: true, stream_options: { include_usage: true } });
    const passed = of.push(Buffer.from(RECORDED), 5);
    const of1 = (words: string, reason: string) =>
      chunk('text_completion', `{"index":0,"text":"${words}","logprobs":null,"finish_reason":${reason}}]`);
    expect(text(passed)).toBe(of1('cry', 'null') + of1(' home', 'null') + of1(' over', 'null') + of1('', '"length"'));
    expect(passed.outputs).toBe(3);
    const usage = chunk('text_completion', '],"usage":{"prompt_tokens":2,"total_tokens":5,"completion_tokens":3}');
    expect(ended(of)).toEqual({ verdict: 'ok', rest: `${usage}data: [DONE]\n\n` });
    expect(of.usage()).toEqual({ promptTokens: 2, completionTokens: 3 });
    expect(of.headers['content-type']).toContain('text/event-stream');
    expect([of.firstTokenMs, of.lastTokenMs]).toEqual([5, 5]);
  });

  it('becomes chunks of a chat: the role, the text, the reason', () => {
    const of = answer({ stream: true }, 'chat');
    const delta = (content: string, reason = 'null') =>
      chunk('chat.completion.chunk', `{"index":0,"delta":{${content}},"logprobs":null,"finish_reason":${reason}}]`);
    expect(text(of.push(Buffer.from(tritonEvent({ text: 'a"\n' })), 1))).toBe(
      delta('"role":"assistant","content":""') + delta('"content":"a\\"\\n"'),
    );
    expect(text(of.push(Buffer.from(tritonEvent({ text: '', output: 1 })), 2))).toBe('');
    expect(text(of.push(Buffer.from(tritonEvent({ text: 'b', reason: 'stop', output: 2 })), 3))).toBe(
      delta('"content":"b"') + delta('', '"stop"'),
    );
    expect(ended(of)).toEqual({ verdict: 'ok', rest: 'data: [DONE]\n\n' });
    expect(of.usage()?.completionTokens).toBe(4);
  });

  it('says the same however its bytes are cut, also within a character', () => {
    const events = Buffer.from(tritonEvent({ text: 'grüße 🌊' }) + tritonEvent({ text: '水', reason: 'stop' }));
    const inOne = text(answer({ stream: true }).push(events, 1));
    for (let at = 1; at < events.length; at++) {
      const of = answer({ stream: true });
      const cut = text(of.push(events.subarray(0, at), 1)) + text(of.push(events.subarray(at), 2));
      expect(cut).toBe(inOne);
      expect(of.end().verdict).toBe('ok');
    }
  });

  it('becomes one body for who asked for no stream, with nothing passed on before', () => {
    const of = answer({}, 'chat');
    expect(of.push(Buffer.from(RECORDED), 1)).toEqual({ bytes: null, outputs: 3 });
    const { verdict, rest } = ended(of);
    expect(verdict).toBe('ok');
    expect(JSON.parse(rest!)).toEqual({
      id: 'chatcmpl-r-1',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'my-model',
      choices: [{ index: 0, message: { role: 'assistant', content: 'cry home over' }, logprobs: null, finish_reason: 'length' }],
      usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
    });
    expect(of.firstTokenMs).toBeNull();
    const completion = answer({});
    completion.push(Buffer.from(RECORDED), 1);
    expect(JSON.parse(ended(completion).rest!)).toMatchObject({ object: 'text_completion', choices: [{ text: 'cry home over' }] });
  });

  it.each([
    ['an error in its middle', tritonError('CUDA error'), /CUDA error/],
    ['an aborted request', tritonEvent({ text: '', reason: 'abort' }), /gave the request up \(abort\)/],
    ['another model’s answer', 'data: {"logits":[1]}\n\n', /no text_output/],
    ['no JSON', 'data: hello\n\n', /no JSON/],
  ])('has failed with %s', (_, event, message) => {
    const of = answer({ stream: true });
    of.push(Buffer.from(tritonEvent({ text: 'a' })), 1);
    expect(() => of.push(Buffer.from(event), 2)).toThrow(message);
  });

  it('is cut off without a finish reason, streamed or not', () => {
    for (const stream of [true, false]) {
      const of = answer({ stream });
      of.push(Buffer.from(tritonEvent({ text: 'a' })), 1);
      expect(ended(of)).toEqual({ verdict: 'cut-off', rest: null });
    }
  });

  it.each([
    [400, 'data: {"error":"Error generating stream: too long"}\n\n', 400, 'rejected', 'engine_rejected'],
    [404, '{"error":"Request for unknown model: \'x\' is not found"}', 502, 'failed', 'engine_failed'],
    [503, '<html>', 502, 'failed', 'engine_failed'],
  ])('refused with %d %s, is an error of OpenAI’s', (status, body, told, verdict, code) => {
    const of = answer({ stream: true }, 'completion', status);
    expect([of.status, of.isStream]).toEqual([told, false]);
    expect(of.push(Buffer.from(body), 1)).toEqual({ bytes: null, outputs: 0 });
    const end = ended(of);
    expect(end.verdict).toBe(verdict);
    expect(JSON.parse(end.rest!).error).toMatchObject({ code });
    expect(of.usage()).toBeNull();
  });
});
