/** Several worlds of mock activities side by side, each with a namespace and workers of its own: workflows mostly wait, and may as well wait together. */
import type { Client } from '@temporalio/client';
import { CONTROL_TASK_QUEUE, hostTaskQueue } from '../../workflows/messages.ts';
import { delegating, type MockWorld } from './mock-activities.ts';
import { createTestNamespace, type TestNamespace } from './temporal.ts';

export interface Lanes {
  /** Waits for a free lane, and has it until `work` ends: its workers call the activities of `world`. */
  use<T>(world: MockWorld, work: (client: Client) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Lane {
  temporal: TestNamespace;
  world: MockWorld | undefined;
}

/** @param hosts that have a worker in every lane, beside the control worker */
export async function createLanes(count: number, hosts: readonly string[]): Promise<Lanes> {
  const lanes = await Promise.all(Array.from({ length: count }, () => createLane(hosts)));
  const free = [...lanes];
  const waiting: ((lane: Lane) => void)[] = [];
  const take = () => {
    const lane = free.pop();
    return lane ? Promise.resolve(lane) : new Promise<Lane>((resolve) => waiting.push(resolve));
  };
  const giveBack = (lane: Lane) => {
    const next = waiting.shift();
    if (next) next(lane);
    else free.push(lane);
  };
  return {
    async use(world, work) {
      const lane = await take();
      lane.world = world;
      try {
        return await work(lane.temporal.client);
      } finally {
        giveBack(lane);
      }
    },
    async close() {
      await Promise.all(lanes.map((lane) => lane.temporal.close()));
    },
  };
}

async function createLane(hosts: readonly string[]): Promise<Lane> {
  const lane: Lane = { temporal: await createTestNamespace(), world: undefined };
  await startMockWorkers(lane.temporal, hosts, () => lane.world!);
  return lane;
}

/** A control worker and one for each host, whose activities are those of whichever world is the current one. */
export async function startMockWorkers(temporal: TestNamespace, hosts: readonly string[], current: () => MockWorld): Promise<void> {
  const activities = delegating(current);
  const queues = [CONTROL_TASK_QUEUE, ...hosts.map(hostTaskQueue)];
  await Promise.all(queues.map((queue) => temporal.startWorker(queue, activities)));
}
