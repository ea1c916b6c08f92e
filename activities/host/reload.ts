/** Another generation of a replica in the engine that runs, without a gap: idempotent, as starting one is. */
import { Context } from '@temporalio/activity';
import type { ChatTemplate } from '../../core/domain/routing.ts';
import type { EngineSpec } from '../../engines/driver.ts';
import { chatTemplate } from './calibrate.ts';
import type { HostDeps } from './deps.ts';

const BEAT_EVERY_MS = 2000;

/** How a reloaded engine is reached, and spoken to. */
export interface ReloadedEngine {
  endpoint: string;
  chat: ChatTemplate | null;
}

export function createReloadActivities({ engines, weights }: Pick<HostDeps, 'engines' | 'weights'>) {
  return {
    /**
     * Loads the spec's generation beside the one that serves, and returns once it serves instead.
     * @throws conflict where the engine cannot, not-found where none runs: start it then; engine-failed where it cannot be loaded, and the
     *   older generation goes on serving
     */
    async reloadEngine(spec: EngineSpec): Promise<ReloadedEngine> {
      const context = Context.current();
      const timer = setInterval(() => context.heartbeat(`loading generation ${spec.generation}`), BEAT_EVERY_MS);
      try {
        const weightsPath = await weights?.pathOf(spec);
        const signal = context.cancellationSignal;
        const { endpoint } = await engines.reload(weightsPath === undefined ? spec : { ...spec, weightsPath }, { signal });
        return { endpoint, chat: await chatTemplate(spec, weightsPath) };
      } finally {
        clearInterval(timer);
      }
    },
  };
}
