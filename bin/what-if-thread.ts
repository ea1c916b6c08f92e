/** What runs on the API's thread for replays. */
import { countArrivals, type ReplayWatch } from '../core/simulator/replay-watch.ts';
import { type WhatIfQuestion, whatIf } from '../core/simulator/what-if.ts';
import { answerQuestions } from './thread-side.ts';

export interface WatchedQuestion {
  question: WhatIfQuestion;
  watch?: ReplayWatch | undefined;
}

answerQuestions(({ question, watch }: WatchedQuestion) => whatIf(question, watch && countArrivals(watch)));
