/** docs/api-reference.md, from the OpenAPI document that the API itself serves. */
import { pino } from 'pino';
import { createApp } from '../../api/app.ts';
import type { ApiDependencies } from '../../api/context.ts';

interface Schema {
  $ref?: string;
  type?: string | string[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  enum?: unknown[];
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}
interface Content {
  content?: Record<string, { schema?: Schema }>;
}
interface Operation {
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content & { description: string }>;
  'x-uellm-access'?: { role: string; tenants?: boolean };
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

export async function apiReference(): Promise<string> {
  const document = await readDocument();
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const tags = [...new Set(operations.map(({ operation }) => operation.tags?.[0] ?? 'other'))].sort();
  return [
    '# API reference',
    '',
    'Written by `npm run docs:references` from the OpenAPI 3.1 document that the API serves at `/openapi.json`; `/docs` shows it with every schema. How keys and roles work: [Access](operator-guide.md#access).',
    '',
    'Lists answer `{ items, next? }`; `cursor` takes a `next`. Errors are `application/problem+json` (RFC 9457), with `issues: [{ field, given, allowed }]` where input is not valid. Objects that people declare have an `ETag`, and a `PUT` names the version that it replaces in `If-Match`. Every operation may answer 401, 403, 422, 429, 500 and 503 besides what stands here.',
    '',
    ...tags.flatMap((tag) => [
      `## ${tag}`,
      '',
      ...operations.filter(({ operation }) => (operation.tags?.[0] ?? 'other') === tag).flatMap((o) => section(o, document)),
    ]),
  ].join('\n');
}

/** The app answers for its document without a database, which no route is asked for. */
async function readDocument(): Promise<Document> {
  const dependencies = { database: {}, info: { version: '' }, logger: pino({ level: 'silent' }) } as unknown as ApiDependencies;
  const app = createApp(dependencies, { apiKeys: [], open: true, tokens: null, webRoot: null });
  const response = await app.request('http://127.0.0.1/openapi.json', { headers: { host: '127.0.0.1' } });
  if (!response.ok) throw new Error(`the API answers ${response.status} to /openapi.json: ${await response.text()}`);
  return (await response.json()) as Document;
}

const ANY_OPERATION = ['401', '403', '422', '429', '500', '503'];

function section({ method, path, operation }: { method: string; path: string; operation: Operation }, document: Document): string[] {
  const { summary = '', description, parameters = [], requestBody, responses, 'x-uellm-access': access } = operation;
  const answers = Object.entries(responses).filter(([status]) => !ANY_OPERATION.includes(status));
  const needs = access ? ` Role: ${access.role}${access.tenants ? ', keys of tenants too' : ''}.` : '';
  return [
    `### ${method} ${path}`,
    '',
    `${summary}.${description ? ` ${description}` : ''}${needs}`.replaceAll(/\s+/g, ' '),
    '',
    ...parameters.map(
      (p) =>
        `- \`${p.name}\` in ${p.in}${p.required ? '' : ', optional'}: ${typeOf(p.schema)}${told(p.description ?? p.schema?.description)}`,
    ),
    ...(requestBody ? [`- body${requestBody.required ? '' : ', optional'}: ${bodyOf(requestBody, document)}`] : []),
    ...answers.map(([status, answer]) => `- ${status}: ${answer.description.replaceAll(/\s+/g, ' ')}${shapeOf(answer)}`),
    '',
  ];
}

const told = (text: string | undefined) => (text ? `. ${text.replaceAll(/\s+/g, ' ')}` : '');

function shapeOf({ content }: Content): string {
  const [type, body] = Object.entries(content ?? {})[0] ?? [];
  if (!type || type.startsWith('application/problem')) return '';
  return type === 'application/json' ? ` ${typeOf(body?.schema)}` : ` \`${type}\``;
}

/** Its fields, where they are few enough to name. */
function bodyOf({ content }: Content, { components }: Document): string {
  const schema = Object.values(content ?? {})[0]?.schema;
  const name = schema?.$ref?.split('/').at(-1);
  const { properties, required = [] } = (name ? components.schemas[name] : schema) ?? {};
  const fields = Object.keys(properties ?? {}).map((field) => `\`${field}${required.includes(field) ? '' : '?'}\``);
  return `${typeOf(schema)}${fields.length > 0 ? ` with ${fields.join(', ')}` : ''}`;
}

function typeOf(schema: Schema | undefined): string {
  if (!schema) return 'anything';
  if (schema.$ref) return `\`${schema.$ref.split('/').at(-1)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.items) return `list of ${typeOf(schema.items)}`;
  const among = schema.anyOf ?? schema.oneOf;
  if (among) return among.map(typeOf).join(' or ');
  const range = schema.minimum !== undefined && schema.maximum !== undefined ? ` from ${schema.minimum} to ${schema.maximum}` : '';
  const without = schema.default !== undefined ? ` (${JSON.stringify(schema.default)})` : '';
  return `${[schema.type ?? 'object'].flat().join(' or ')}${range}${without}`;
}
