/** What runs on the planning thread: plans with their shapes tried. */
import { loadHighsSolver } from '../core/placement/fleet/highs.ts';
import type { PlanInput } from '../core/placement/types.ts';
import { openShapeTrials } from '../core/simulator/shape-trials.ts';
import { planTried } from '../core/simulator/tried-plan.ts';
import { answerQuestions } from './thread-side.ts';

const solver = await loadHighsSolver();
const trials = openShapeTrials();
answerQuestions((question: PlanInput) => planTried(question, solver, trials));
