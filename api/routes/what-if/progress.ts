/** A replay told as it goes, by server-sent events. */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { arrivedOf, giveUp, isGivenUp, type ReplayWatch } from '../../../core/simulator/replay-watch.ts';
import type { ApiEnv } from '../../context.ts';
import { toProblem } from '../../problem.ts';
import type { Problem, WhatIf, WhatIfProgress } from '../../schema/index.ts';

const EVERY_MS = 250;

export interface ReplayUnderWay {
  watch: ReplayWatch;
  /** So many requests arrive, in both replays together. */
  arrivals: number;
  answer: Promise<WhatIf>;
}

/** `progress` events, then one `answer` or `problem`. @param onFailure told what went wrong, where somebody still listens */
export function streamReplay(
  c: Context<ApiEnv>,
  { watch, arrivals, answer }: ReplayUnderWay,
  onFailure: (error: unknown) => void,
): Response {
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => giveUp(watch));
    const tell = (event: string, data: WhatIf | WhatIfProgress | Problem) => stream.writeSSE({ event, data: JSON.stringify(data) });
    const progress = () => tell('progress', { arrived: Math.min(arrivals, arrivedOf(watch)), of: arrivals });
    const timer = setInterval(() => void progress(), EVERY_MS);
    try {
      await progress();
      const given = await answer;
      clearInterval(timer);
      await tell('answer', given);
    } catch (error) {
      if (isGivenUp(watch)) return;
      onFailure(error);
      await tell('problem', toProblem(error, c.req.path).problem);
    } finally {
      clearInterval(timer);
    }
  });
}
