/**
 * A mock engine as a process of its own: it answers at once, or a token at a time, and costs as little as node:http can. `engines.ts` starts
 * it and tells it how to answer.
 *
 * Without a gap each stream sends one token in every turn of the event loop, so that tokens come as packets of their own until somebody
 * cannot keep up.
 */
import { createServer, type ServerResponse } from 'node:http';
import { type Api, MODEL, type StreamParts, streamParts, wholeAnswer } from './engine-answers.ts';

/** How answers are given from now on. */
export interface Pace {
  tokens: number;
  /** Between two tokens of a stream, ms; 0 as fast as they can be sent. */
  gapMs: number;
}

/** What it says of itself, once asked for. */
export interface EngineCounts {
  /** Requests open at once, at most, since it was last told a pace. */
  mostOpen: number;
}

interface Stream {
  res: ServerResponse;
  sent: number;
  left: number;
  dueMs: number;
  parts: StreamParts;
  withUsage: boolean;
  gone: boolean;
}

const METRICS = ['vllm:num_requests_running', 'vllm:num_requests_waiting', 'vllm:kv_cache_usage_perc'];
/** What routers ask an engine about itself; an empty object says nothing, and suffices. */
const ABOUT = new Set(['/get_model_info', '/model_info', '/get_server_info', '/server_info', '/version', '/get_load', '/v1/loads']);
const LOOK_EVERY_MS = 5;

let pace: Pace = { tokens: 32, gapMs: 0 };
let answers = answersOf(pace.tokens);
let open = 0;
let mostOpen = 0;
/** In the order in which they are due: the gap is the same for all. */
let streams: Stream[] = [];
let running = false;

function answersOf(tokens: number) {
  const of = (api: Api) => ({ parts: streamParts(api, tokens), whole: wholeAnswer(api, tokens) });
  return { chat: of('chat'), completion: of('completion') };
}

function answer(api: Api, body: Buffer, res: ServerResponse): void {
  open += 1;
  mostOpen = Math.max(mostOpen, open);
  res.once('close', () => {
    open -= 1;
  });
  const { parts, whole } = answers[api];
  if (!asks(body, 'stream')) {
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length });
    res.end(whole);
    return;
  }
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  const withUsage = asks(body, 'include_usage');
  const stream = { res, sent: 0, left: pace.tokens, dueMs: performance.now(), parts, withUsage, gone: false };
  res.once('close', () => {
    stream.gone = true;
  });
  // At once: behind those that have sent theirs it would wait for a whole gap.
  send(stream);
  if (stream.left === 0) return;
  stream.dueMs += pace.gapMs;
  streams.push(stream);
  if (running) return;
  running = true;
  later();
}

/** In a body that somebody may have written anew. */
function asks(body: Buffer, flag: string): boolean {
  return body.includes(`"${flag}":true`) || body.includes(`"${flag}": true`);
}

function run(): void {
  const nowMs = performance.now();
  const due = streams.findIndex((stream) => stream.dueMs > nowMs);
  const now = due === -1 ? streams : streams.slice(0, due);
  streams = due === -1 ? [] : streams.slice(due);
  for (const stream of now) {
    if (stream.gone) continue;
    send(stream);
    if (stream.left === 0) continue;
    stream.dueMs = nowMs + pace.gapMs;
    streams.push(stream);
  }
  running = streams.length > 0;
  if (running) later();
}

function later(): void {
  if (pace.gapMs === 0) setImmediate(run);
  else setTimeout(run, LOOK_EVERY_MS);
}

function send(stream: Stream): void {
  const { res, parts } = stream;
  stream.left -= 1;
  stream.sent += 1;
  if (stream.left > 0) {
    res.write(stream.sent === 1 ? parts.first : parts.token);
    return;
  }
  res.write(parts.last);
  if (stream.withUsage) res.write(parts.usage);
  res.end(parts.done);
}

function json(res: ServerResponse, value: object): void {
  res.writeHead(200, { 'content-type': 'application/json' });
  res.end(JSON.stringify(value));
}

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (req, res) => {
  const path = req.url?.split('?')[0] ?? '/';
  if (req.method === 'POST') {
    const pieces: Buffer[] = [];
    req.on('data', (piece) => pieces.push(piece));
    req.on('end', () => {
      answer(path.endsWith('/chat/completions') ? 'chat' : 'completion', pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), res);
    });
  } else if (path === '/health') {
    res.writeHead(200, { 'content-length': 0 });
    res.end();
  } else if (path === '/metrics') {
    const gauges = METRICS.map((name, i) => `# TYPE ${name} gauge\n${name}{engine="0",model_name="${MODEL}"} ${i === 0 ? open : 0}.0\n`);
    res.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    res.end(gauges.join(''));
  } else if (path === '/v1/models') {
    json(res, { object: 'list', data: [{ id: MODEL, object: 'model', owned_by: 'vllm', root: MODEL, max_model_len: 131_072 }] });
  } else if (ABOUT.has(path)) {
    json(res, path === '/version' ? { version: '0.32.0' } : {});
  } else {
    res.writeHead(404);
    res.end();
  }
});
server.on('connection', (socket) => socket.setNoDelay(true));

process.on('message', (next: Pace) => {
  const counts: EngineCounts = { mostOpen };
  pace = next;
  answers = answersOf(pace.tokens);
  mostOpen = open;
  process.send?.(counts);
});
process.on('disconnect', () => process.exit(0));

const [port] = process.argv.slice(2);
if (process.argv[1]?.endsWith('engine.js') && port) {
  server.listen(Number(port), '127.0.0.1', 4096, () => process.send?.('ready'));
}
