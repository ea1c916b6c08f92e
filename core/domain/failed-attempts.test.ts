import { describe, expect, it } from 'vitest';
import { FailedAttempts } from './failed-attempts.ts';

function failing(address: string, times: number, nowMs = 0): FailedAttempts {
  const attempts = new FailedAttempts();
  for (let i = 0; i < times; i++) attempts.failed(address, nowMs);
  return attempts;
}

describe('failed attempts', () => {
  it('lets ten through, and then one every five seconds', () => {
    expect(failing('10.0.0.1', 9).waitMs('10.0.0.1', 0)).toBe(0);
    const attempts = failing('10.0.0.1', 10);
    expect(attempts.waitMs('10.0.0.1', 0)).toBe(5000);
    expect(attempts.waitMs('10.0.0.1', 4000)).toBe(1000);
    expect(attempts.waitMs('10.0.0.1', 5000)).toBe(0);
    attempts.failed('10.0.0.1', 5000);
    expect(attempts.waitMs('10.0.0.1', 5000)).toBe(5000);
  });

  it('never makes anybody wait longer, however often it failed', () => {
    expect(failing('10.0.0.1', 1000).waitMs('10.0.0.1', 0)).toBe(5000);
  });

  it('forgives in time', () => {
    const attempts = failing('10.0.0.1', 10);
    attempts.failed('10.0.0.1', 60_000);
    expect(attempts.waitMs('10.0.0.1', 60_000)).toBe(0);
  });

  it.each([
    ['10.0.0.1', '10.0.0.2', false],
    ['::ffff:10.0.0.1', '10.0.0.1', true],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['2001:db8::1', '2001:db8:0:0:5::1', true],
    ['::1', '::2', true],
    ['fe80::1%eth0', 'fe80::2%eth0', true],
  ])('counts %s and %s as one: %j', (one, other, same) => {
    expect(failing(one, 10).waitMs(other, 0) > 0).toBe(same);
  });

  it('remembers no more than ten thousand addresses, and forgets the one that failed longest ago', () => {
    const attempts = failing('first', 10);
    for (let i = 0; i < 9_999; i++) attempts.failed(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1);
    expect([attempts.size, attempts.waitMs('first', 1) > 0]).toEqual([10_000, true]);
    attempts.failed('one more', 2);
    expect([attempts.size, attempts.waitMs('first', 2)]).toEqual([10_000, 0]);
  });
});
