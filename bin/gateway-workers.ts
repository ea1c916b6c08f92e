/**
 * Several gateways as processes that share one port (`node:cluster`): this one accepts connections and hands them round. Each worker is a
 * gateway of its own, with its own lease, id and spool; one that ends is started again, with growing pauses, and takes up its spool.
 */
import cluster, { type Worker } from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { GatewayPart } from '../gateway/several/siblings.ts';
import type { ToPrimary, ToWorker } from './gateway-siblings.ts';
import { READY_MESSAGE } from './processes/launch.ts';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** A worker that ran this long before it ended begins again with the shortest pause. */
const STEADY_AFTER_MS = 30_000;
/** Those that have not said by then what they are asked are left out. */
const TELL_WITHIN_MS = 1000;

/**
 * Returns once all of them serve, with how to end them.
 * @throws when one of them ends before it serves
 */
export async function startWorkers(count: number, logger: Logger): Promise<(hurry: AbortSignal) => Promise<void>> {
  const stopping = new AbortController();
  const serving = new Set<Worker>();
  relayQuestions(serving);
  const starting = Array.from({ length: count }, (_, i) => keepWorker(i + 1, serving, stopping.signal, logger));
  const keepers = await Promise.all(starting).catch((error) => {
    stopping.abort();
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
    throw error;
  });
  return async (hurry) => {
    stopping.abort();
    const tellAll = (message: ToWorker) => {
      for (const worker of Object.values(cluster.workers ?? {})) if (worker?.isConnected()) worker.send(message);
    };
    hurry.addEventListener('abort', () => tellAll('hurry'));
    tellAll('stop');
    await Promise.all(keepers.map(({ ended }) => ended));
  };
}

/** Starts the worker with this number, and again whenever it ends, until `stopping`. Resolves once it serves; `ended` once it runs no more. */
async function keepWorker(number: number, serving: Set<Worker>, stopping: AbortSignal, logger: Logger): Promise<{ ended: Promise<void> }> {
  const run = () => {
    const worker = cluster.fork({ UELLM_GATEWAY_WORKER: String(number) });
    const ended = new Promise<string>((resolve) => {
      worker.once('exit', (code, signal) => {
        serving.delete(worker);
        resolve(signal ?? `exit code ${code}`);
      });
    });
    const ready = new Promise<void>((resolve) => {
      worker.on('message', (message) => {
        if (message !== READY_MESSAGE) return;
        serving.add(worker);
        resolve();
      });
    });
    return { ended, ready };
  };
  const keep = async (first: Promise<string>) => {
    let end = first;
    let pauseMs = FIRST_PAUSE_MS;
    for (let sinceMs = performance.now(); ; ) {
      const how = await end;
      if (stopping.aborted) return;
      logger.error(`worker ${number} ended (${how}) and is started again`);
      pauseMs = performance.now() - sinceMs > STEADY_AFTER_MS ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      await delay(pauseMs, undefined, { signal: stopping }).catch(() => undefined);
      if (stopping.aborted) return;
      sinceMs = performance.now();
      end = run().ended;
    }
  };
  const first = run();
  const failed = await Promise.race([first.ready.then(() => null), first.ended]);
  if (failed !== null) throw new Error(`worker ${number} ended while it started (${failed})`);
  return { ended: keep(first.ended) };
}

/** Passes the question of one worker to all that serve, and their answers back to it. */
function relayQuestions(serving: ReadonlySet<Worker>): void {
  interface Question {
    ask: number;
    asker: Worker;
    parts: GatewayPart[];
    left: number;
    late: NodeJS.Timeout;
  }
  let sequence = 0;
  const open = new Map<number, Question>();
  const answer = (id: number) => {
    const question = open.get(id);
    if (!question) return;
    open.delete(id);
    clearTimeout(question.late);
    send(question.asker, { answer: question.ask, parts: question.parts });
  };
  cluster.on('message', (worker, message: ToPrimary | typeof READY_MESSAGE) => {
    if (typeof message === 'string') return;
    if ('ask' in message) {
      sequence += 1;
      const id = sequence;
      const late = setTimeout(() => answer(id), TELL_WITHIN_MS);
      open.set(id, { ask: message.ask, asker: worker, parts: [], left: serving.size, late });
      for (const one of serving) send(one, { tell: id });
      return;
    }
    const question = open.get(message.told);
    if (!question) return;
    question.parts.push(message.part);
    question.left -= 1;
    if (question.left === 0) answer(message.told);
  });
}

function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message);
}
