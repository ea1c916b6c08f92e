import { describe, expect, it } from 'vitest';
import type { TestCase, TestModule } from 'vitest/node';
import { formatTally, tally } from './summary-reporter.ts';

const testCase = (state: string, note?: string, errors?: { message: string }[]) =>
  ({
    fullName: `a ${state} test`,
    result: () => ({ state, note, errors }),
    diagnostic: () => ({ flaky: state === 'passed' && errors !== undefined }),
  }) as unknown as TestCase;
const module = (state: string, tests: TestCase[]) =>
  ({ relativeModuleId: 'core/x.test.ts', state: () => state, children: { allTests: () => tests } }) as unknown as TestModule;

describe('the last line of a run', () => {
  it('counts tests, and names why some were skipped', () => {
    const result = tally([module('failed', [testCase('passed'), testCase('failed'), testCase('skipped', 'no disk')])], []);
    expect(formatTally(result)).toBe('skipped: core/x.test.ts > a skipped test: no disk\n1 passed, 1 failed, 1 skipped\n');
  });

  it('names what passed only at the second attempt, and why it did not at the first', () => {
    const result = tally([module('passed', [testCase('passed'), testCase('passed', undefined, [{ message: 'too late\nby far' }])])], []);
    expect(formatTally(result)).toBe('passed at the second attempt: core/x.test.ts > a passed test: too late\n2 passed, 0 failed\n');
  });

  it('counts a file that could not be loaded, and an error outside every test, as failures', () => {
    expect(formatTally(tally([module('failed', []), module('passed', [testCase('passed')])], [{ message: 'x' }]))).toBe(
      '1 passed, 2 failed\n',
    );
  });
});
