import { describe, expect, it } from 'vitest';
import { createResource } from './resource.ts';

/** A load that answers when it is told to. */
function manual() {
  const calls: { answer: (value: number) => void; fail: (error: Error) => void }[] = [];
  const load = () => new Promise<number>((answer, fail) => calls.push({ answer, fail }));
  return { calls, load };
}

describe('createResource', () => {
  it('holds what was read last, and tells its subscribers', async () => {
    const { calls, load } = manual();
    const resource = createResource(load);
    let told = 0;
    const stop = resource.subscribe(() => told++);
    const read = resource.refresh();
    calls[0]?.answer(1);
    await read;
    expect(resource.snapshot).toEqual({ value: 1, error: null });
    stop();
    const again = resource.refresh();
    calls[1]?.answer(2);
    await again;
    expect(resource.snapshot.value).toBe(2);
    expect(told).toBe(1);
  });

  it('reads once more for all that asked while a read was under way', async () => {
    const { calls, load } = manual();
    const resource = createResource(load);
    const reads = [resource.refresh(), resource.refresh(), resource.refresh()];
    expect(calls).toHaveLength(1);
    calls[0]?.answer(1);
    await new Promise((resolve) => setTimeout(resolve));
    expect(calls).toHaveLength(2);
    calls[1]?.answer(2);
    await Promise.all(reads);
    expect(calls).toHaveLength(2);
    expect(resource.snapshot.value).toBe(2);
  });

  it('keeps the value when a read fails, and says why', async () => {
    const { calls, load } = manual();
    const resource = createResource(load);
    const first = resource.refresh();
    calls[0]?.answer(1);
    await first;
    const second = resource.refresh();
    calls[1]?.fail(new Error('away'));
    await second;
    expect(resource.snapshot).toMatchObject({ value: 1, error: { message: 'away' } });
  });
});
