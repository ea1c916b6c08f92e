/**
 * Writes a chat as one prompt, by the template that its model brings along. A template is data that someone else wrote: it may throw, and
 * it may take for ever, so it runs under a limit of time.
 */
import { createContext, Script } from 'node:vm';
import { Template } from '@huggingface/jinja';
import { messageOf } from '../../core/domain/errors.ts';
import type { ChatTemplate } from '../../core/domain/routing.ts';
import { chatTemplateFailed, RequestError } from '../errors.ts';

/** Nothing else of the gateway moves meanwhile. A thousand messages take about 40 ms. */
const MAX_RENDER_MS = 250;
const MAX_COMPILED = 64;

/** By source; the one that was not used for longest goes first. */
const compiled = new Map<string, Template>();

const context = createContext({ run: () => '' });
const call = new Script('run()');

/**
 * With the opening of the model's answer at its end.
 * @param extra variables of the template's own, e.g. `{ enable_thinking: false }`
 * @throws RequestError 400 with the template's words, or where it takes too long
 */
export function renderChat({ template, bosToken, eosToken }: ChatTemplate, messages: readonly object[], extra: object): string {
  const variables = { ...extra, messages, bos_token: bosToken, eos_token: eosToken, add_generation_prompt: true };
  try {
    const prompt = limited(() => compile(template).render(variables));
    // The backend's tokenizer puts the token before every prompt by itself.
    return bosToken !== '' && prompt.startsWith(bosToken) ? prompt.slice(bosToken.length) : prompt;
  } catch (error) {
    throw new RequestError(chatTemplateFailed(messageOf(error)));
  }
}

function compile(source: string): Template {
  const template = compiled.get(source) ?? new Template(source);
  compiled.delete(source);
  compiled.set(source, template);
  const [oldest] = compiled.keys();
  if (compiled.size > MAX_COMPILED && oldest !== undefined) compiled.delete(oldest);
  return template;
}

/** Node interrupts what a script calls, too, wherever it was written. */
function limited(run: () => string): string {
  context.run = run;
  return call.runInContext(context, { timeout: MAX_RENDER_MS }) as string;
}
