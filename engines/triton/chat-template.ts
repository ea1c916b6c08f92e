/** The chat template of a model, from the files beside its weights: Triton's vLLM backend takes text only, so the gateway writes chats. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ChatTemplate } from '../../core/domain/routing.ts';

/** A token's text, or an object that has it. */
const tokenSchema = z.union([z.string(), z.object({ content: z.string() }).transform((token) => token.content)]).nullish();
const tokenizerConfigSchema = z.object({
  chat_template: z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]).nullish(),
  bos_token: tokenSchema,
  eos_token: tokenSchema,
});

/**
 * Of several templates, `default` is taken; a file `chat_template.jinja` goes first, as in the hub's own client.
 * @param folder with the model's files
 * @returns null where the model has no chat template, or the files cannot be understood
 */
export async function readChatTemplate(folder: string): Promise<ChatTemplate | null> {
  const config = tokenizerConfigSchema.safeParse(parseJson(await readText(join(folder, 'tokenizer_config.json')))).data;
  const given = config?.chat_template;
  const named = Array.isArray(given) ? given.find(({ name }) => name === 'default')?.template : given;
  const template = (await readText(join(folder, 'chat_template.jinja'))) ?? named;
  return template ? { template, bosToken: config?.bos_token ?? '', eosToken: config?.eos_token ?? '' } : null;
}

async function readText(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch(() => null);
}

function parseJson(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
