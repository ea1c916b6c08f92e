/** An engine of a test's own making: a real HTTP server that answers as the test says, and remembers what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  path: string;
  headers: IncomingMessage['headers'];
  /** The bytes of its body. */
  text: string;
  json: Record<string, unknown>;
  /** The connection was closed before the answer was whole. */
  aborted: boolean;
}

export type Answer = (res: ServerResponse, request: ReceivedRequest) => unknown;

export interface TestUpstream {
  url: string;
  /** Completion requests, in the order of their arrival. */
  received: ReceivedRequest[];
  /** How it answers from now on. */
  answer: Answer;
  /** Body and status of `/metrics`; a status of 0 never answers. */
  metrics: { status: number; text: string };
  /** Status of every other question. */
  ready: number;
  close(): Promise<void>;
}

export const token = (text: string) =>
  `data: {"id":"c","object":"text_completion","choices":[{"index":0,"text":${JSON.stringify(text)}}]}\n\n`;
export const usageEvent = (prompt: number, completion: number) =>
  `data: {"id":"c","choices":[],"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + completion},"completion_tokens":${completion}}}\n\n`;
export const DONE = 'data: [DONE]\n\n';

/** Streams tokens, with a pause before each, and ends well: with the usage chunk where it was asked for. */
export function streamed(tokens: readonly string[], pauseMs = 0): Answer {
  return async (res, request) => {
    res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    for (const text of tokens) {
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      res.write(token(text));
    }
    const options = request.json.stream_options as { include_usage?: boolean } | undefined;
    if (options?.include_usage) res.write(usageEvent(7, tokens.length));
    res.end(DONE);
  };
}

/** Answers as a whole. */
export const whole: Answer = (res) => {
  res.writeHead(200, { 'content-type': 'application/json', 'x-engine': 'yes' });
  res.end('{"id":"c","choices":[{"index":0,"text":"hi"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}');
};

export async function startUpstream(answer: Answer = streamed(['a', 'b', 'c']), port = 0): Promise<TestUpstream> {
  const server = createServer((req, res) => {
    if (req.url === '/metrics') {
      if (upstream.metrics.status === 0) return;
      res.writeHead(upstream.metrics.status).end(upstream.metrics.text);
      return;
    }
    if (req.method === 'GET') {
      res.writeHead(upstream.ready).end();
      return;
    }
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const request: ReceivedRequest = { path: req.url ?? '', headers: req.headers, text, json: JSON.parse(text), aborted: false };
      upstream.received.push(request);
      res.on('close', () => {
        request.aborted = !res.writableFinished;
      });
      void upstream.answer(res, request);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const upstream: TestUpstream = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    answer,
    metrics: { status: 200, text: 'vllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0\n' },
    ready: 200,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return upstream;
}
