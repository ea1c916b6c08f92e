/** Clients that stream chats from several gateways without a pause, and record how each request ended. */
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { createRandom } from '../../core/simulator/random.ts';
import { serverSentEvents } from '../../engines/server-sent-events.ts';
import type { RequestEnd, RequestRecord } from './outcomes.ts';

export interface Traffic {
  /** Of the requests that have ended. */
  records: readonly RequestRecord[];
  /** Requests that are open. */
  open(): number;
  /** Lets the streams that are open end. */
  stop(): Promise<void>;
}

export interface TrafficOptions {
  seed: number;
  gateways: ReadonlyMap<string, string>;
  deployments: readonly string[];
  clientsPerDeployment: number;
  /** Shortest and longest answer. */
  tokens: readonly [number, number];
  /** With nothing coming for so long a request is held to be stuck. */
  stuckAfterMs: number;
}

const PAUSE_AFTER_FAILURE_MS = 250;

export function startTraffic(options: TrafficOptions): Traffic {
  const { gateways, deployments, clientsPerDeployment, tokens } = options;
  const dispatcher = new Agent({ pipelining: 0, connect: { timeout: 5000 }, headersTimeout: 0, bodyTimeout: 0 });
  const records: RequestRecord[] = [];
  const names = [...gateways.keys()];
  let stopping = false;
  let open = 0;

  async function client(deployment: string, index: number): Promise<void> {
    const random = createRandom(`client ${options.seed} ${deployment} ${index}`);
    for (let turn = index; !stopping; turn++) {
      const gateway = names[turn % names.length]!;
      const maxTokens = Math.round(tokens[0] + random() * (tokens[1] - tokens[0]));
      open += 1;
      const record = await stream(dispatcher, {
        gateway,
        url: gateways.get(gateway)!,
        deployment,
        maxTokens,
        stuckAfterMs: options.stuckAfterMs,
      });
      open -= 1;
      records.push(record);
      if (record.end.how !== 'completed') await delay(PAUSE_AFTER_FAILURE_MS);
    }
  }

  const clients = deployments.flatMap((d) => Array.from({ length: clientsPerDeployment }, (_, index) => client(d, index)));
  return {
    records,
    open: () => open,
    async stop() {
      stopping = true;
      await Promise.all(clients);
      await dispatcher.destroy();
    },
  };
}

interface Wanted {
  gateway: string;
  url: string;
  deployment: string;
  maxTokens: number;
  stuckAfterMs: number;
}

async function stream(dispatcher: Agent, { gateway, url, deployment, maxTokens, stuckAfterMs }: Wanted): Promise<RequestRecord> {
  const record: RequestRecord = {
    startedAtMs: Date.now(),
    endedAtMs: 0,
    gateway,
    deployment,
    replicaId: null,
    tokens: 0,
    end: { how: 'broken', detail: 'the stream ended without [DONE]' },
  };
  const stuck = new AbortController();
  const watch = setTimeout(() => stuck.abort(), stuckAfterMs);
  try {
    record.end = await follow();
  } catch (error) {
    record.end = stuck.signal.aborted ? { how: 'stuck' } : failureOf(error);
  } finally {
    clearTimeout(watch);
  }
  return { ...record, endedAtMs: Date.now() };

  async function follow(): Promise<RequestEnd> {
    const { statusCode, headers, body } = await request(`${url}/v1/chat/completions`, {
      dispatcher,
      signal: stuck.signal,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: deployment,
        messages: [{ role: 'user', content: 'Tell me about the sea.' }],
        max_tokens: maxTokens,
        ignore_eos: true,
        stream: true,
      }),
    });
    record.replicaId = typeof headers['x-uellm-replica'] === 'string' ? headers['x-uellm-replica'] : null;
    if (statusCode !== 200) return errorIn(await body.text());
    for await (const data of serverSentEvents(body)) {
      watch.refresh();
      if (data === '[DONE]') return { how: 'completed' };
      const event = JSON.parse(data) as { error?: unknown; choices?: { delta?: { content?: string } }[] };
      if (event.error) return errorIn(data);
      if (event.choices?.[0]?.delta?.content) record.tokens += 1;
    }
    return record.end;
  }
}

/** An OpenAI error body. */
function errorIn(text: string): RequestEnd {
  try {
    const { error } = JSON.parse(text) as { error: { code: unknown; message: unknown } };
    return { how: 'error', code: String(error.code), message: String(error.message) };
  } catch {
    return { how: 'error', code: 'unreadable', message: text.slice(0, 200) };
  }
}

function failureOf(error: unknown): RequestEnd {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ECONNREFUSED' ? { how: 'refused' } : { how: 'broken', detail: `${code ?? ''} ${message}`.trim() };
}
