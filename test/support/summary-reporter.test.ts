import { describe, expect, it } from 'vitest';
import type { TestCase, TestModule } from 'vitest/node';
import { formatTally, tally } from './summary-reporter.ts';

const testCase = (state: string, note?: string) =>
  ({ fullName: `a ${state} test`, result: () => ({ state, note }) }) as unknown as TestCase;
const module = (state: string, tests: TestCase[]) =>
  ({ relativeModuleId: 'core/x.test.ts', state: () => state, children: { allTests: () => tests } }) as unknown as TestModule;

describe('the last line of a run', () => {
  it('counts tests, and names why some were skipped', () => {
    const result = tally([module('failed', [testCase('passed'), testCase('failed'), testCase('skipped', 'no disk')])], []);
    expect(formatTally(result)).toBe('skipped: core/x.test.ts > a skipped test: no disk\n1 passed, 1 failed, 1 skipped\n');
  });

  it('counts a file that could not be loaded, and an error outside every test, as failures', () => {
    expect(formatTally(tally([module('failed', []), module('passed', [testCase('passed')])], [{ message: 'x' }]))).toBe(
      '1 passed, 2 failed\n',
    );
  });
});
