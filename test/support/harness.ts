/**
 * Two questions to every workflow: does it unwind, or get over it, whichever of its activities fails? Does it end the same when every activity
 * runs twice, as they do where a worker dies between the work and its answer? A rehearsal finds out which activities there are.
 */
import type { MockWorld } from './mock-activities.ts';

export type ActivityName = MockWorld['calls'][number]['name'];

/**
 * Runs the workflow once for each activity that it calls, with the first call of that one failing for good, each in a world of its own, and
 * all at once: `run` sees to it that only as many go as can (`lanes.ts`).
 * @param world a fresh one
 * @param run from start to end; what it resolves to goes to `check`
 * @param check throws where the end is not right; told which activity had failed
 * @param except activities that are left to work
 * @returns the activities that were made to fail, in the order of their first calls
 * @throws Error that names every activity whose failure ended wrongly, and how
 */
export async function failEachInTurn<R>(
  world: () => MockWorld,
  run: (world: MockWorld) => Promise<R>,
  check: (world: MockWorld, result: R, failed: ActivityName) => void | Promise<void>,
  { error, except = [] }: { error: Error; except?: readonly ActivityName[] },
): Promise<ActivityName[]> {
  const rehearsal = world();
  await run(rehearsal);
  const names = [...new Set(rehearsal.calls.map((c) => c.name))].filter((name) => !except.includes(name));
  const wrong: string[] = [];
  const fail = async (name: ActivityName) => {
    const broken = world();
    broken.fail[name] = { error, times: 1 };
    try {
      await check(broken, await run(broken), name);
      if (broken.fail[name]?.times !== 0) wrong.push(`${name}: was not called again`);
    } catch (failure) {
      wrong.push(`${name}: ${failure instanceof Error ? failure.message : String(failure)}`);
    }
  };
  await Promise.all(names.map(fail));
  if (wrong.length > 0) throw new Error(`ended wrongly when these failed:\n${wrong.join('\n')}`);
  return names;
}

/**
 * Runs the workflow with every activity run twice, and once as usual.
 * @param endOf what is to be the same after both
 * @returns both ends, for the test to compare
 */
export async function runEachTwice<R, E>(
  world: () => MockWorld,
  run: (world: MockWorld) => Promise<R>,
  endOf: (world: MockWorld, result: R) => E,
): Promise<{ once: E; twice: E }> {
  const ends: E[] = [];
  for (const twice of [null, 'all'] as const) {
    const own = world();
    own.twice = twice;
    ends.push(endOf(own, await run(own)));
  }
  return { once: ends[0]!, twice: ends[1]! };
}
