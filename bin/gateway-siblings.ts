/** How one of the processes that share a gateway's port hears of the others: through the process that has started them all. */
import type { GatewayPart, Siblings } from '../gateway/several/siblings.ts';

/** From the process that starts them. */
export type ToWorker = 'stop' | 'hurry' | { tell: number } | { answer: number; parts: GatewayPart[] };
/** To it; beside the word that it serves. */
export type ToPrimary = { ask: number } | { told: number; part: GatewayPart };

/** For a process that was forked. */
export function siblings(): Siblings {
  let sequence = 0;
  let ownPart: (() => Promise<GatewayPart>) | null = null;
  const asked = new Map<number, { resolve: (parts: GatewayPart[]) => void; reject: (error: Error) => void }>();
  const send = (message: ToPrimary) => void process.send?.(message);
  process.on('message', (message: ToWorker) => {
    if (typeof message === 'string') return;
    if ('answer' in message) {
      const question = asked.get(message.answer);
      asked.delete(message.answer);
      if (message.parts.length > 0) question?.resolve(message.parts);
      else question?.reject(new Error('no worker answered in time'));
      return;
    }
    // Whoever cannot say it is left out.
    ownPart?.().then(
      (part) => send({ told: message.tell, part }),
      () => undefined,
    );
  });
  return {
    ask() {
      sequence += 1;
      const answered = new Promise<GatewayPart[]>((resolve, reject) => asked.set(sequence, { resolve, reject }));
      send({ ask: sequence });
      return answered;
    },
    answerWith(part) {
      ownPart = part;
    },
  };
}
