/** Streaming clients that never stop asking: what a drain or a kill must not disturb. */
import { setTimeout as delay } from 'node:timers/promises';
import { streamCompletion } from '../../engines/openai.ts';

export interface Load {
  /** Streams that ended with `[DONE]`. */
  finished(): number;
  /** What went wrong, one line each. */
  failures(): string[];
  /** Lets the streams that are open end. */
  stop(): Promise<void>;
}

/**
 * @param clients each streams one answer of `tokens` tokens after another
 * @param pauseMs between two answers: real engines on few cores leave no room for another to start
 */
export function startLoad(
  gatewayUrl: string,
  model: string,
  { clients, tokens, pauseMs = 0 }: { clients: number; tokens: number; pauseMs?: number },
): Load {
  let stopping = false;
  let finished = 0;
  const failures: string[] = [];
  const work = Array.from({ length: clients }, async () => {
    while (!stopping) {
      try {
        await streamCompletion(gatewayUrl, {
          model,
          messages: [{ role: 'user', content: 'Tell me about the sea.' }],
          maxTokens: tokens,
          ignoreEos: true,
        });
        finished += 1;
        if (pauseMs > 0) await delay(pauseMs);
      } catch (error) {
        failures.push(String(error));
        await delay(100);
      }
    }
  });
  return {
    finished: () => finished,
    failures: () => failures,
    async stop() {
      stopping = true;
      await Promise.all(work);
    },
  };
}
