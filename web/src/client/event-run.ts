/** A question whose answer is told as it is made: progress, then the answer or what went wrong, as server-sent events of one POST. */
import type { Problem } from '../../../api/schema/index.ts';
import { createEventParser } from './event-stream.ts';
import { ApiError, authorization, problemOf, readProblem } from './http.ts';

/** @param signal takes the question back @throws ApiError, or AbortError where it was taken back */
export async function runWithProgress<Progress, Answer>(
  path: string,
  body: unknown,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: Progress) => void },
): Promise<Answer> {
  const headers = { accept: 'text/event-stream', 'content-type': 'application/json', ...authorization() };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body), signal });
  if (!response.ok || !response.body) throw new ApiError(await readProblem(response, path));
  let answer: Answer | undefined;
  let problem: Problem | undefined;
  const parsers = [
    createEventParser('progress', (data) => onProgress(JSON.parse(data) as Progress)),
    createEventParser('answer', (data) => {
      answer = JSON.parse(data) as Answer;
    }),
    createEventParser('problem', (data) => {
      problem = JSON.parse(data) as Problem;
    }),
  ];
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) for (const parse of parsers) parse(read.value);
  if (answer !== undefined) return answer;
  throw new ApiError(problem ?? problemOf(0, 'the API ended the connection before it had answered', path));
}
