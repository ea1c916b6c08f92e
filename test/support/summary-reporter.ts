/** Closes a run with one plain line, `N passed, N failed[, N skipped]`, after why each skipped test was skipped. */
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

export interface Tally {
  passed: number;
  failed: number;
  skipped: { name: string; reason: string }[];
}

export default class SummaryReporter implements Reporter {
  #tally: Tally = { passed: 0, failed: 0, skipped: [] };

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
  const result: Tally = { passed: 0, failed: unhandledErrors.length, skipped: [] };
  for (const module of modules) {
    const failedBefore = result.failed;
    for (const test of module.children.allTests()) count(result, module, test);
    if (module.state() === 'failed' && result.failed === failedBefore) result.failed += 1;
  }
  return result;
}

function count(result: Tally, module: TestModule, test: TestCase): void {
  const outcome = test.result();
  if (outcome.state === 'passed') result.passed += 1;
  else if (outcome.state === 'failed') result.failed += 1;
  else {
    const reason = outcome.state === 'skipped' ? outcome.note : undefined;
    const otherwise = module.state() === 'failed' ? 'not reached, as something before it failed' : 'no reason given';
    result.skipped.push({ name: `${module.relativeModuleId} > ${test.fullName}`, reason: reason ?? otherwise });
  }
}

export function formatTally({ passed, failed, skipped }: Tally): string {
  const reasons = skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}\n`).join('');
  return `${reasons}${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}\n`;
}
