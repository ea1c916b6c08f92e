import { describe, expect, it } from 'vitest';
import { outOfMemoryLine } from './out-of-memory.ts';

describe('the line that tells of a want of memory', () => {
  it.each([
    ['exited with SIGKILL; its log ends with:\n(nothing)', 'exited with SIGKILL'],
    ['exited with code 137; its log ends with:\nINFO loading', 'exited with code 137'],
    [
      'exited with code 1\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB',
      'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB',
    ],
    ['exited with code 1 after: CUDA out of memory; its log ends with:\nbye', 'exited with code 1 after: CUDA out of memory'],
    [
      'exited\nValueError: No available memory for the cache blocks. Try increasing',
      'ValueError: No available memory for the cache blocks. Try increasing',
    ],
  ])('%s', (text, line) => {
    expect(outOfMemoryLine(text)).toBe(line);
  });

  it.each([
    'exited with SIGTERM; its log ends with:\nbye',
    'exited with code 1; its log ends with:\nKeyError: model',
    'exited with code 1370',
    'WARNING: set expandable_segments to avoid fragmentation',
    '',
  ])('none in: %s', (text) => {
    expect(outOfMemoryLine(text)).toBeNull();
  });
});
