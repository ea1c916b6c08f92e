/** Streaming clients that never stop asking: what a drain or a kill must not disturb. */
import { streamCompletion } from '../../engines/openai.ts';

export interface Load {
  /** Streams that ended with `[DONE]`. */
  finished(): number;
  /** What went wrong, one line each. */
  failures(): string[];
  /** Lets the streams that are open end. */
  stop(): Promise<void>;
}

/** @param clients each streams one answer of `tokens` tokens after another */
export function startLoad(gatewayUrl: string, model: string, { clients, tokens }: { clients: number; tokens: number }): Load {
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
      } catch (error) {
        failures.push(String(error));
        await new Promise((resolve) => setTimeout(resolve, 100));
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
