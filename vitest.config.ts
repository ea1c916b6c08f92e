import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './test/support/slowest-first.ts';

/** Tests lie beside the code. Which servers a test needs follows from its folder. */
const inFolders = (folders: string[]) => folders.map((folder) => `${folder}/**/*.test.{ts,tsx}`);

/** Real servers on a machine that stalls: a second attempt, which the last lines of a run tell of. */
const ANOTHER_ATTEMPT = 1;

export default defineConfig({
  test: {
    reporters: ['default', './test/support/summary-reporter.ts'],
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    projects: [
      // Nothing but the code itself: `npm run check` runs these.
      {
        test: {
          name: 'pure',
          include: inFolders(['core', 'cli', 'web', 'scripts', 'bench', 'test/support', 'test/chaos']),
          testTimeout: 30_000,
        },
      },
      // Real Postgres.
      {
        test: {
          name: 'services',
          retry: ANOTHER_ATTEMPT,
          include: inFolders(['db', 'engines', 'api', 'gateway', 'profiler']),
          globalSetup: './test/support/global-setup.ts',
          testTimeout: 20_000,
          hookTimeout: 30_000,
        },
      },
      // Real Postgres and real Temporal.
      {
        test: {
          name: 'system',
          retry: ANOTHER_ATTEMPT,
          include: inFolders(['activities', 'workflows', 'bin', 'test/system', 'test/replay', 'test/browser']),
          globalSetup: './test/support/global-setup.ts',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // Real inference engines, gigabytes of them: `npm run test:engines`.
      {
        test: {
          name: 'engines',
          retry: ANOTHER_ATTEMPT,
          include: inFolders(['test/engines']),
          globalSetup: './test/support/global-setup.ts',
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
