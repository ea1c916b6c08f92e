/** What the page has to say of an action: one notice at a time, the newest. */
import { createResource } from './resource.ts';

export interface Notice {
  tone: 'good' | 'bad';
  text: string;
}

let current: Notice | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
export const notices = createResource(async () => current);

const SHOWN_MS = 8000;

export function notify(notice: Notice | null): void {
  current = notice;
  clearTimeout(timer);
  if (notice?.tone === 'good') timer = setTimeout(() => notify(null), SHOWN_MS);
  void notices.refresh();
}

/** Does something over the API and says how it went; problems stay until they are dismissed. */
export async function act(done: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
    notify({ tone: 'good', text: done });
  } catch (error) {
    notify({ tone: 'bad', text: (error as Error).message });
  }
}
