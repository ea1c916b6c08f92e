/**
 * Closes a run with one plain line, `N passed, N failed[, N skipped]`, after why each skipped test was skipped, and which of those that passed
 * needed another attempt: tests on real servers get one, and it is never silent.
 */
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

export interface Tally {
  passed: number;
  failed: number;
  skipped: { name: string; reason: string }[];
  /** Passed, but not at once; and why not. */
  again: { name: string; reason: string }[];
}

export default class SummaryReporter implements Reporter {
  #tally: Tally = { passed: 0, failed: 0, skipped: [], again: [] };

  /** The line is written as the process ends, so that nothing comes after it; a watching run never ends and needs none. */
  onInit(): void {
    process.once('exit', (code) => {
      // A run can also fail outside every test, e.g. because a server did not start.
      if (code !== 0 && this.#tally.failed === 0) this.#tally.failed = 1;
      process.stdout.write(formatTally(this.#tally));
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.#tally = tally(modules, unhandledErrors);
  }
}

/** A file that could not run and an error that no test caught count as one failure each. */
export function tally(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): Tally {
  const result: Tally = { passed: 0, failed: unhandledErrors.length, skipped: [], again: [] };
  for (const module of modules) {
    const failedBefore = result.failed;
    for (const test of module.children.allTests()) count(result, module, test);
    if (module.state() === 'failed' && result.failed === failedBefore) result.failed += 1;
  }
  return result;
}

function count(result: Tally, module: TestModule, test: TestCase): void {
  const outcome = test.result();
  const name = `${module.relativeModuleId} > ${test.fullName}`;
  if (outcome.state === 'passed') {
    result.passed += 1;
    if (test.diagnostic()?.flaky) result.again.push({ name, reason: outcome.errors?.[0]?.message.split('\n')[0] ?? 'no reason given' });
  } else if (outcome.state === 'failed') result.failed += 1;
  else {
    const reason = outcome.state === 'skipped' ? outcome.note : undefined;
    const otherwise = module.state() === 'failed' ? 'not reached, as something before it failed' : 'no reason given';
    result.skipped.push({ name, reason: reason ?? otherwise });
  }
}

export function formatTally({ passed, failed, skipped, again }: Tally): string {
  const reasons = skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}\n`).join('');
  const attempts = again.map(({ name, reason }) => `passed at the second attempt: ${name}: ${reason}\n`).join('');
  return `${reasons}${attempts}${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}\n`;
}
