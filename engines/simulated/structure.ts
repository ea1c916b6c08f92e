/**
 * Answers that have a form to keep: a call of one of the request's tools, or JSON. Their content is made up from the JSON schema alone, and
 * its texts say that it is simulated.
 */
import { z } from 'zod';
import { UellmError } from '../../core/domain/errors.ts';

/** The whole text of an answer: JSON, or the arguments of a tool call. */
export interface Structure {
  /** Name of the tool that is called; null for an answer in JSON. */
  tool: string | null;
  text: string;
}

type Schema = Record<string, unknown>;

const schemaSchema = z.custom<Schema>(isObject, 'a JSON schema');
const toolSchema = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({ name: z.string().min(1), parameters: schemaSchema.nullish() }),
});

/** The fields of a chat that ask for a form. */
export const structureFields = {
  tools: z.array(toolSchema).nullish(),
  tool_choice: z
    .union([z.enum(['none', 'auto', 'required']), z.looseObject({ function: z.looseObject({ name: z.string() }) })], {
      error: '"none", "auto", "required", or one of the tools',
    })
    .nullish(),
  response_format: z
    .discriminatedUnion('type', [
      z.looseObject({ type: z.literal('text') }),
      z.looseObject({ type: z.literal('json_object') }),
      z.looseObject({ type: z.literal('json_schema'), json_schema: z.looseObject({ schema: schemaSchema.nullish() }) }),
    ])
    .nullish(),
};

type Fields = z.output<z.ZodObject<typeof structureFields>>;

const SIMULATED_TEXT = 'simulated';

/**
 * The form of the answer, or null for free text. Left to choose, it calls the first tool, and answers in words once a tool has answered.
 * @param lastRole the role of the last message. @throws invalid-input for a choice that is none of the tools
 */
export function structureOf({ tools, tool_choice: choice, response_format: format }: Fields, lastRole: string): Structure | null {
  const named = isObject(choice) ? (choice.function as { name: string }).name : null;
  const tool = (tools ?? []).find((one) => named === null || one.function.name === named);
  if (named !== null && !tool) {
    const issue = { field: 'tool_choice', given: JSON.stringify(named), allowed: 'the name of one of the tools' };
    throw new UellmError({ kind: 'invalid-input', what: 'request', issues: [issue] });
  }
  const calls = named !== null || choice === 'required' || ((choice ?? 'auto') === 'auto' && lastRole !== 'tool');
  if (tool && calls) return { tool: tool.function.name, text: JSON.stringify(exampleOf(tool.function.parameters ?? { type: 'object' })) };
  if (format?.type === 'json_object') return { tool: null, text: JSON.stringify({ simulated: true, text: 'not the output of a model' }) };
  if (format?.type === 'json_schema') return { tool: null, text: JSON.stringify(exampleOf(format.json_schema.schema ?? {})) };
  return null;
}

/** Deeper than any schema of a form; schemas that contain themselves end here. */
const MAX_DEPTH = 12;

/** A value that the schema allows, as far as types, constants, choices, bounds and references go. */
export function exampleOf(schema: Schema, root: Schema = schema, depth = 0): unknown {
  if (depth > MAX_DEPTH) return null;
  const inner = (value: unknown) => exampleOf(isObject(value) ? value : {}, root, depth + 1);
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if (typeof schema.$ref === 'string') return inner(lookUp(root, schema.$ref));
  if (Array.isArray(schema.allOf)) return inner(Object.assign({}, ...schema.allOf));
  const [choice] = [schema.anyOf, schema.oneOf].filter(Array.isArray);
  if (choice) return inner(choice[0]);
  switch (typeOf(schema)) {
    case 'object':
      return Object.fromEntries(Object.entries(isObject(schema.properties) ? schema.properties : {}).map(([key, of]) => [key, inner(of)]));
    case 'array':
      return Array.from({ length: Math.min(100, numberOr(schema.minItems, schema.items ? 1 : 0)) }, () => inner(schema.items));
    case 'integer':
    case 'number':
      return Math.min(Math.max(1, Math.ceil(numberOr(schema.minimum, 1))), numberOr(schema.maximum, Number.MAX_SAFE_INTEGER));
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return SIMULATED_TEXT.padEnd(Math.min(10_000, numberOr(schema.minLength, 0)), '.').slice(0, numberOr(schema.maxLength, 10_000));
  }
}

function typeOf({ type, properties }: Schema): unknown {
  if (Array.isArray(type)) return type[0];
  return type ?? (properties ? 'object' : 'string');
}

function lookUp(root: Schema, ref: string): unknown {
  let found: unknown = root;
  for (const key of ref.replace(/^#\/?/, '').split('/')) found = key === '' || !isObject(found) ? found : found[key];
  return found;
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
