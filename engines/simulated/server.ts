/**
 * A simulated engine: an HTTP server that speaks vLLM's OpenAI API and imitates an engine's timing with the step function of
 * `core/simulator`, on the step times, KV cache and limits of its EngineSpec. It computes nothing: its text is filler, and every
 * surface says so (`x-uellm-simulated` on each response, `system_fingerprint`, `owned_by`, the metric `uellm_simulated`).
 *
 * Two things vLLM does not have: the body field `simulated_output_tokens` (the exact length of the answer, for load generation)
 * and `POST /simulated/faults` (see `faults.ts`). `main.ts` is the process; the driver in this folder starts it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseInput } from '../../core/domain/validate.ts';
import { readJson } from './body.ts';
import { createEmbeddingReply, parseEmbeddingRequest } from './embeddings.ts';
import { type ApiError, apiErrorOf, sendError, unavailable, unknownModel, unknownRoute, wrongMethod } from './errors.ts';
import { type Faults, faultsSchema, NO_FAULTS } from './faults.ts';
import type { GenerationSequence } from './generation.ts';
import { createReply } from './reply.ts';
import { type Api, modelOf, parseRequest } from './request.ts';
import { createServing, type Started } from './serving.ts';
import type { Settings } from './settings.ts';

export interface SimulatedEngine {
  /** Base URL, without a slash at the end. */
  url: string;
  /** Takes no more requests, lets the running ones finish within the settings' grace, ends the rest with an error, stops listening. */
  close(): Promise<void>;
}

/** Longer than a client keeps an idle connection, so that it is the client who closes and no request meets a closing socket. */
const KEEP_ALIVE_MS = 75_000;
/** For clients that do not read their last bytes. */
const FLUSH_MS = 1000;

/**
 * @param bind port 0 takes a free one
 * @param onDeath a fault has ended the engine, with these last words: its connections are broken and it no longer listens
 * @throws the listen error where the port is taken
 */
export async function startSimulatedEngine(
  settings: Settings,
  bind: { address: string; port: number },
  onDeath: (lastWords: string) => void = () => {},
): Promise<SimulatedEngine> {
  const faults: Faults = { ...NO_FAULTS };
  const serving = createServing(settings, faults, (lastWords) => {
    server.close();
    server.closeAllConnections();
    onDeath(lastWords);
  });
  const readyAtMs = performance.now() + settings.loadSeconds * 1000;
  const createdSeconds = Math.floor(Date.now() / 1000);
  /** Requests whose response is still open. */
  const open = new Set<GenerationSequence>();
  let draining = false;
  let drained = () => {};

  function unavailability(): ApiError | null {
    if (draining) return unavailable('The engine is shutting down.');
    if (performance.now() < readyAtMs) return unavailable('The engine is loading its weights.');
    return null;
  }

  async function generate(api: Api | 'embeddings', req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readJson(req);
    // Nobody waits any more, and no 'close' will tell.
    if (res.destroyed) return;
    // Asked after the body was read: a drain may have begun meanwhile.
    const away = unavailability();
    if (away) return sendError(res, away);
    if (!body.ok) return sendError(res, body.error);
    const model = modelOf(body.value);
    if (model !== null && !settings.names.includes(model)) return sendError(res, unknownModel(model));
    const started = start(api, body.value, req, res);
    if (!started.ok) return sendError(res, started.error);
    const { sequences } = started;
    for (const sequence of sequences) open.add(sequence);
    res.on('close', () => {
      for (const sequence of sequences) {
        serving.cancel(sequence);
        open.delete(sequence);
      }
      if (open.size === 0) drained();
    });
  }

  function start(api: Api | 'embeddings', body: unknown, req: IncomingMessage, res: ServerResponse): Started {
    if (api === 'embeddings') {
      const request = parseEmbeddingRequest(body);
      return serving.embed(request, createEmbeddingReply(request, `${settings.seed}:${settings.model}`, res));
    }
    const request = parseRequest(api, body);
    return serving.start(request, createReply(request, req, res));
  }

  async function setFaults(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readJson(req);
    if (!body.ok) return sendError(res, body.error);
    Object.assign(faults, parseInput(faultsSchema, body.value, 'the request body'));
    serving.faultsChanged();
    sendJson(res, faults);
  }

  type Route = { method: string; handle: (req: IncomingMessage, res: ServerResponse) => unknown };
  const post = (handle: Route['handle']): Route => ({ method: 'POST', handle });
  const generation: Record<string, Route> = {
    '/v1/completions': post((req, res) => generate('completions', req, res)),
    '/v1/chat/completions': post((req, res) => generate('chat', req, res)),
  };
  const routes: Record<string, Route> = {
    '/health': get((res) => {
      const away = unavailability();
      if (away) sendError(res, away);
      else res.writeHead(200).end();
    }),
    '/version': get((res) => sendJson(res, { version: 'uellm-simulated' })),
    '/metrics': get(async (res) => {
      const { registry } = serving.metrics;
      const text = await registry.metrics();
      res.writeHead(200, { 'content-type': registry.contentType }).end(text);
    }),
    '/v1/models': get((res) => sendJson(res, modelList(settings, createdSeconds))),
    ...(settings.embedsOnly ? {} : generation),
    '/v1/embeddings': post((req, res) => generate('embeddings', req, res)),
    '/simulated/faults': post(setFaults),
  };

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, async (req, res) => {
    res.setHeader('x-uellm-simulated', 'true');
    if (draining) res.setHeader('connection', 'close');
    try {
      const route = routes[(req.url ?? '').split('?', 1)[0] as string];
      if (!route) sendError(res, unknownRoute());
      else if (route.method !== req.method) sendError(res, wrongMethod());
      else await route.handle(req, res);
    } catch (error) {
      // A client that leaves while its body is read has nobody to tell.
      if (!res.headersSent && !res.destroyed) sendError(res, apiErrorOf(error));
      else res.destroy();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(bind.port, bind.address, resolve);
  });

  async function drain(): Promise<void> {
    draining = true;
    if (open.size === 0) return;
    const grace = setTimeout(() => {
      for (const sequence of open) {
        serving.cancel(sequence);
        sequence.request.reply.fail(unavailable('The engine was shut down before the answer was complete.'));
      }
      setTimeout(() => server.closeAllConnections(), FLUSH_MS).unref();
    }, settings.graceSeconds * 1000);
    await new Promise<void>((resolve) => {
      drained = resolve;
    });
    clearTimeout(grace);
  }

  let closing: Promise<void> | null = null;
  return {
    url: urlOf(server.address() as AddressInfo),
    close() {
      closing ??= drain().then(
        () =>
          new Promise((resolve) => {
            server.close(() => resolve());
            server.closeIdleConnections();
            setTimeout(() => server.closeAllConnections(), FLUSH_MS).unref();
          }),
      );
      return closing;
    },
  };
}

function get(answer: (res: ServerResponse) => unknown) {
  return { method: 'GET', handle: (_req: IncomingMessage, res: ServerResponse) => answer(res) };
}

function sendJson(res: ServerResponse, value: unknown): void {
  res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function modelList(settings: Settings, created: number) {
  const shared = { object: 'model', created, owned_by: 'uellm-simulated', root: settings.source, parent: null };
  return { object: 'list', data: settings.names.map((id) => ({ id, ...shared, max_model_len: settings.engine.maxContextTokens })) };
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
