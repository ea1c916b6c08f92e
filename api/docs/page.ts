/**
 * /docs: the OpenAPI document as a page that reads well and sends requests. Rendered here, from the document itself; it loads nothing
 * from anywhere else, so it also works where no internet is. (Swagger UI was weighed: its package reports every install to a third party.)
 */
import { html, raw } from 'hono/html';
import { type JsonSchema, noteOf, schemaText } from './schema-text.ts';

export interface OpenApiDocument {
  info: { title: string; version: string; description?: string };
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, JsonSchema> };
}

interface Operation {
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Content };
  responses: Record<string, { description: string; content?: Content }>;
  'x-uellm-access'?: { role: string; tenants?: boolean };
}
type Content = Record<string, { schema: JsonSchema }>;
interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: JsonSchema;
  description?: string;
}
interface Endpoint extends Operation {
  method: string;
  path: string;
}

export function docsPage(document: OpenApiDocument) {
  const { info } = document;
  const groups = byTag(document);
  const schemas = Object.entries(document.components?.schemas ?? {}).sort(([a], [b]) => a.localeCompare(b));
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${info.title}</title>
    <link rel="stylesheet" href="/docs/style.css" />
    <script type="module" src="/docs/script.js"></script>
  </head>
  <body>
    <h1>${info.title} <small>${info.version}</small></h1>
    <p>${info.description ?? ''} The document itself: <a href="/openapi.json">/openapi.json</a>.</p>
    <label><span>API key, where one is needed</span> <input id="api-key" type="password" autocomplete="off" /></label>
    <nav>${[...groups.keys()].map((tag) => html`<a href="#tag-${tag}">${tag}</a>`)} <a href="#schemas">schemas</a></nav>
    ${[...groups].map(([tag, endpoints]) => html`<h2 id="tag-${tag}">${tag}</h2>${endpoints.map(endpointBlock)}`)}
    <h2 id="schemas">schemas</h2>
    ${schemas.map(([name, schema]) => html`<details id="${name}"><summary class="path">${name}</summary><pre>${schemaText(schema)}</pre></details>`)}
  </body>
</html>`;
}

function byTag({ paths = {} }: OpenApiDocument): Map<string, Endpoint[]> {
  const groups = new Map<string, Endpoint[]>();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags?.[0] ?? 'other';
      groups.set(tag, [...(groups.get(tag) ?? []), { ...operation, method, path }]);
    }
  }
  return groups;
}

function endpointBlock(endpoint: Endpoint) {
  const { method, path, summary, description, 'x-uellm-access': access } = endpoint;
  return html`<details id="${method}-${path}">
  <summary><span class="method ${method}">${method}</span><span class="path">${path}</span><span class="what">${summary ?? ''}</span></summary>
  ${description ? html`<p>${description}</p>` : ''}
  ${access ? html`<p><small>For the role ${access.role}${access.tenants ? ', of a tenant, too' : ''}.</small></p>` : ''}
  ${requestForm(endpoint)}
  <h4>Answers</h4>
  ${Object.entries(endpoint.responses).map(([status, response]) => answerBlock(status, response))}
</details>`;
}

function requestForm({ method, path, parameters = [], requestBody }: Endpoint) {
  const bodySchema = requestBody && Object.values(requestBody.content)[0]?.schema;
  return html`<form data-method="${method.toUpperCase()}" data-path="${path}">
    ${parameters.map(parameterInput)}
    ${bodySchema ? html`<h4>Body: ${schemaLink(bodySchema)}</h4><textarea aria-label="Body" spellcheck="false"></textarea>` : ''}
    <button type="submit">Send</button>
    <pre><output></output></pre>
  </form>`;
}

function parameterInput(parameter: Parameter) {
  const { name, required, schema } = parameter;
  const note = [schemaText(schema), noteOf({ ...schema, description: parameter.description ?? schema.description ?? '' })]
    .filter(Boolean)
    .join('; ');
  return html`<label><span class="path">${name}${required ? '' : '?'}</span>
    <input name="${name}" data-in="${parameter.in}" ${raw(required ? 'required' : '')} autocomplete="off" /> <small>${note}</small></label>`;
}

function answerBlock(status: string, { description, content = {} }: Operation['responses'][string]) {
  const [media] = Object.entries(content);
  return html`<div><code>${status}</code> ${description} ${media ? html`<small>${media[0]}</small> ${schemaLink(media[1].schema)}` : ''}</div>`;
}

function schemaLink(schema: JsonSchema) {
  const text = schemaText(schema);
  return schema.$ref ? html`<a href="#${text}">${text}</a>` : html`<code>${text}</code>`;
}
