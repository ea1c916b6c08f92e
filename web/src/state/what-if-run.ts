/** One what-if at a time: its progress, and how it ended. It goes on when another page is shown. */
import type { WhatIf, WhatIfInput, WhatIfProgress } from '../../../api/schema/index.ts';
import { runWithProgress } from '../client/event-run.ts';
import { ApiError } from '../client/http.ts';
import { type FormIssues, issuesOf } from '../view/what-if.ts';
import { createResource } from './resource.ts';

export interface WhatIfRun {
  running: WhatIfProgress | null;
  answer: WhatIf | null;
  issues: FormIssues;
}

const NO_ISSUES: FormIssues = { fields: {}, rest: [] };
const NOT_BEGUN: WhatIfProgress = { arrived: 0, of: 0 };
let run: WhatIfRun = { running: null, answer: null, issues: NO_ISSUES };
let abort = new AbortController();

export const whatIfRun = createResource(async () => run);

function show(next: Partial<WhatIfRun>): void {
  run = { ...run, ...next };
  void whatIfRun.refresh();
}

export async function startWhatIf(question: WhatIfInput): Promise<void> {
  abort.abort();
  const mine = new AbortController();
  abort = mine;
  show({ running: NOT_BEGUN, issues: NO_ISSUES });
  try {
    const answer = await runWithProgress<WhatIfProgress, WhatIf>('/api/v1/what-if', question, {
      signal: mine.signal,
      onProgress: (running) => mine === abort && show({ running }),
    });
    if (mine === abort) show({ running: null, answer });
  } catch (error) {
    if (mine !== abort || mine.signal.aborted) return;
    show({ running: null, issues: error instanceof ApiError ? issuesOf(error.problem) : { fields: {}, rest: [(error as Error).message] } });
  }
}

/** What is wrong with a question that is not asked. */
export function refuseWhatIf(fields: FormIssues['fields']): void {
  show({ issues: { fields, rest: [] } });
}

export function cancelWhatIf(): void {
  abort.abort();
  show({ running: null });
}
