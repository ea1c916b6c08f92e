/** The mock engines of a run: started, told how to answer, ended. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../bin/processes/ports.ts';
import type { EngineCounts, Pace } from './engine.ts';

export interface Engines {
  /** Base URLs. */
  urls: string[];
  /** Told to all, while nothing is open. @returns what each has counted since it was last told */
  setPace(pace: Pace): Promise<EngineCounts[]>;
  close(): void;
}

export async function startEngines(count: number): Promise<Engines> {
  const children: ChildProcess[] = [];
  const urls: string[] = [];
  for (let i = 0; i < count; i++) {
    const port = await freePort();
    const child = fork(fileURLToPath(new URL('./engine.js', import.meta.url)), [String(port)]);
    children.push(child);
    await once(child, 'message');
    urls.push(`http://127.0.0.1:${port}`);
  }
  return {
    urls,
    setPace: (pace) =>
      Promise.all(
        children.map(async (child) => {
          const told = once(child, 'message');
          child.send(pace);
          const [counts] = (await told) as [EngineCounts];
          return counts;
        }),
      ),
    close: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}
