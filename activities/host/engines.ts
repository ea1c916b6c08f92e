/** Starting and stopping engines: idempotent by (replica, generation), because the host keeps both on its own disk. */
import { Context } from '@temporalio/activity';
import { UellmError } from '../../core/domain/errors.ts';
import type { EngineSpec } from '../../engines/driver.ts';
import type { HostDeps } from './deps.ts';

/** How often a waiting activity looks, and says that it is alive. */
const LOOK_EVERY_MS = 250;

export function createEngineActivities({ engines, weights }: Pick<HostDeps, 'engines' | 'weights'>) {
  return {
    /** Starts the engine, or finds it running. Returns its base URL at once: `awaitEngineReady` waits for it. */
    async startEngine(spec: EngineSpec): Promise<string> {
      const weightsPath = await weights?.pathOf(spec);
      const context = Context.current();
      const wait = { signal: context.cancellationSignal, onWait: (detail: string) => context.heartbeat(detail) };
      const { endpoint } = await engines.start(weightsPath === undefined ? spec : { ...spec, weightsPath }, wait);
      return endpoint;
    },

    /** Waits until the engine serves, with its own words as heartbeats. @throws engine-failed when it exits instead */
    async awaitEngineReady(replicaId: string): Promise<void> {
      const context = Context.current();
      for (;;) {
        const health = await engines.health(replicaId);
        if (health.state === 'ready') return;
        if (health.state !== 'loading') throw new UellmError({ kind: 'engine-failed', replicaId, reason: health.detail });
        context.heartbeat(health.detail);
        await context.sleep(LOOK_EVERY_MS);
      }
    },

    /** Does an engine of this generation or a later one run? */
    async isEngineRunning(replicaId: string, generation: number): Promise<boolean> {
      const reports = await engines.list();
      return reports.some((r) => r.replicaId === replicaId && r.generation >= generation && r.state === 'running');
    },

    /** Does the engine serve at this moment? An engine that is not there does not. */
    async isEngineReady(replicaId: string): Promise<boolean> {
      return engines.health(replicaId).then(
        (health) => health.state === 'ready',
        () => false,
      );
    },

    /**
     * Ends the engine politely: it finishes what it streams, within its driver's grace or the one given. Stopping what is stopped does
     * nothing.
     */
    async stopEngine(replicaId: string, generation: number, graceSeconds?: number | null): Promise<{ requestsDropped: number }> {
      const context = Context.current();
      const wait = { signal: context.cancellationSignal, onWait: (detail: string) => context.heartbeat(detail) };
      return engines.stop(replicaId, generation, { ...wait, ...(graceSeconds != null && { graceSeconds }) });
    },
  };
}
