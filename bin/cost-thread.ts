/** What runs on the API's thread for costs and bottlenecks. */
import { type CostQuestion, reckonCost } from '../api/routes/cost/reckon.ts';
import { type DiagnosisInput, diagnose } from '../core/placement/diagnosis/diagnose.ts';
import { loadHighsSolver } from '../core/placement/fleet/highs.ts';
import { answerQuestions } from './thread-side.ts';

const solver = await loadHighsSolver();
answerQuestions((question: CostQuestion | DiagnosisInput) => ('fleet' in question ? diagnose(question) : reckonCost(question, solver)));
