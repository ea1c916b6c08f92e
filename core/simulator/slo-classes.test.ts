import { describe, expect, it } from 'vitest';
import { fieldIssues } from '../domain/validate.ts';
import { sloFileSchema, targetsOf } from './slo-classes.ts';

const chat = { name: 'chat', ttftMs: 500 };
const issuesOf = (file: unknown) => {
  const parsed = sloFileSchema.safeParse(file);
  return parsed.success ? [] : fieldIssues(parsed.error, file).map((issue) => issue.field);
};

describe('an SLO file', () => {
  it('has defaults for all that a class need not say', () => {
    expect(sloFileSchema.parse({ classes: [chat] }).classes).toEqual([
      { ...chat, share: 1, priority: 0, queue: { maxWaitMs: 30_000, onHopeless: 'demote' } },
    ]);
  });
  it.each([
    ['no classes', {}, 'classes'],
    ['none', { classes: [] }, 'classes'],
    ['a name missing', { classes: [{ ttftMs: 5 }] }, 'classes.0.name'],
    ['no target', { classes: [chat, { name: 'b' }] }, 'classes.1'],
    ['a target of 0', { classes: [{ ...chat, ttftMs: 0 }] }, 'classes.0.ttftMs'],
    ['a target that is text', { classes: [{ ...chat, tpotMs: '50' }] }, 'classes.0.tpotMs'],
    ['an unknown field', { classes: [{ ...chat, ttft: 5 }] }, 'classes.0'],
    ['a rise without a base', { classes: [{ name: 'a', tpotMs: 50, ttftPerInputTokenMs: 1 }] }, 'classes.0.ttftPerInputTokenMs'],
    ['a negative share', { classes: [{ ...chat, share: -1 }] }, 'classes.0.share'],
    ['only shares of 0', { classes: [{ ...chat, share: 0 }] }, 'classes'],
    ['a name twice', { classes: [chat, chat] }, 'classes'],
    ['a priority out of range', { classes: [{ ...chat, priority: 1001 }] }, 'classes.0.priority'],
    ['an unknown end', { classes: [{ ...chat, queue: { onHopeless: 'drop' } }] }, 'classes.0.queue.onHopeless'],
  ])('is told of %s by its field', (_, file, field) => {
    const fields = issuesOf(file);
    expect(fields.length).toBeGreaterThan(0);
    // Paths are written with dots or brackets.
    expect(fields[0]!.replace(/\[(\d+)\]/g, '.$1')).toMatch(new RegExp(`^${field.replaceAll('.', '\\.')}`));
  });
});

describe('targets of a request', () => {
  const classOf = (parts: object) => sloFileSchema.parse({ classes: [{ name: 'a', ...parts }] }).classes[0]!;
  it.each([
    [{ ttftMs: 500 }, { ttftMs: 500 }],
    [
      { ttftMs: 500, ttftPerInputTokenMs: 0.5, tpotMs: 50 },
      { ttftMs: 1000, tpotMs: 50 },
    ],
    [{ e2eMs: 9000 }, { e2eMs: 9000 }],
  ])('%j', (parts, targets) => {
    expect(targetsOf(classOf(parts), 1000)).toEqual({ ...targets, attainment: 0.99 });
  });
});
