/** What runs on the API's thread for replays. */
import { whatIf } from '../core/simulator/what-if.ts';
import { answerQuestions } from './thread-side.ts';

answerQuestions(whatIf);
