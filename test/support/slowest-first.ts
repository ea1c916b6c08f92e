/**
 * What is begun last ends last. Without a cache of durations vitest goes by the size of files; those that wait for real processes take a minute
 * or three, whatever their size, and come first.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const SLOW = /\/test\/system\/|\.harness\.test|\/workflows\/|schemathesis/;

export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = (file: TestSpecification) => SLOW.test(file.moduleId);
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
  }
}
