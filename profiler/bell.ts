/** Wakes who waits. */
export interface Bell {
  ring(): void;
  /** Waits at least `leastMs`, and on until rung or `mostMs` are over; a ring before the wait counts. */
  wait(leastMs: number, mostMs: number): Promise<void>;
}

export function createBell(): Bell {
  let rung = false;
  let answer = () => {};
  return {
    ring() {
      rung = true;
      answer();
    },
    async wait(leastMs, mostMs) {
      await new Promise((resolve) => setTimeout(resolve, leastMs));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, rung ? 0 : mostMs - leastMs);
        answer = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      rung = false;
    },
  };
}
