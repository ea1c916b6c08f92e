/** A Triton of a test's own making: real HTTP on two ports, a model with the interface of the vLLM backend that answers as the test says. */
import { createServer, type ServerResponse } from 'node:http';
import { METRICS_PORT_OFFSET } from '../../engines/triton/endpoint.ts';
import { type Answer, startUpstream, type TestUpstream } from './upstream.ts';

export interface TritonEvent {
  text: string;
  reason?: string;
  input?: number;
  output?: number;
}

/** As Triton writes it: its keys by the alphabet. */
export const tritonEvent = ({ text, reason = 'None', input = 5, output = 1 }: TritonEvent) =>
  `data: ${JSON.stringify({
    finish_reason: reason,
    model_name: 'chat',
    model_version: '1',
    num_input_tokens: input,
    num_output_tokens: output,
    text_output: text,
  })}\n\n`;

export const tritonError = (message: string) => `data: ${JSON.stringify({ error: message })}\n\n`;

export const beginTriton = (res: ServerResponse, status = 200) =>
  res.writeHead(status, { 'content-type': 'text/event-stream; charset=utf-8' });

/** One event a token; the last has the reason. */
export const tritonTokens =
  (tokens: readonly string[], reason = 'stop'): Answer =>
  (res) => {
    beginTriton(res);
    res.end(tokens.map((text, i) => tritonEvent({ text, reason: i === tokens.length - 1 ? reason : 'None' })).join(''));
  };

export async function startTriton(answer: Answer = tritonTokens(['a', 'b', 'c'])): Promise<TestUpstream> {
  // Until there are two free ports at the distance that Triton's have.
  for (let tries = 0; tries < 20; tries++) {
    const triton = await startUpstream(answer);
    triton.metrics.text = 'nv_inference_pending_request_count{model="chat",version="1"} 0\n';
    const metrics = createServer((_, res) => res.end(triton.metrics.text));
    const listens = await new Promise<boolean>((resolve) => {
      metrics.once('error', () => resolve(false));
      metrics.listen(Number(new URL(triton.url).port) + METRICS_PORT_OFFSET, '127.0.0.1', () => resolve(true));
    });
    const close = triton.close;
    triton.close = async () => {
      metrics.closeAllConnections();
      metrics.close();
      await close();
    };
    if (listens) return triton;
    await close();
  }
  throw new Error('no two ports are free');
}
