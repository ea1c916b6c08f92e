/** /openapi.json and /docs */
import { Hono } from 'hono';
import { SCRIPT, STYLE } from './assets.ts';
import { docsPage, type OpenApiDocument } from './page.ts';

/** @param document made once all routes are there, kept from then on */
export function docsRoutes(document: () => OpenApiDocument): Hono {
  let kept: OpenApiDocument | undefined;
  const get = () => (kept ??= document());
  return new Hono()
    .get('/openapi.json', (c) => c.json(get()))
    .get('/docs', (c) => c.html(docsPage(get())))
    .get('/docs/style.css', (c) => c.body(STYLE, 200, { 'content-type': 'text/css; charset=utf-8' }))
    .get('/docs/script.js', (c) => c.body(SCRIPT, 200, { 'content-type': 'text/javascript; charset=utf-8' }));
}
