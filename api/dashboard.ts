/** The dashboard's built files at `/`. Any address that is not a file is the dashboard's own: it gets index.html. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { serveStatic } from '@hono/node-server/serve-static';
import { type Context, Hono } from 'hono';
import { html } from 'hono/html';

/** @param webRoot the folder of the built dashboard */
export function dashboardRoutes(webRoot: string | null): Hono {
  const app = new Hono();
  if (webRoot === null || !existsSync(join(webRoot, 'index.html'))) return app.get('/', (c) => c.html(notBuilt));
  // Built files carry a hash of their content in their names; index.html does not.
  const remember = (path: string, c: Context) => {
    c.header('cache-control', path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
  };
  app.get('*', serveStatic({ root: webRoot, onFound: remember }));
  const index = serveStatic({ root: webRoot, path: 'index.html', onFound: remember });
  return app.get('*', (c, next) => (wantsPage(c) ? index(c, next) : next()));
}

function wantsPage(c: Context): boolean {
  return (c.req.header('accept') ?? '').includes('text/html') && !c.req.path.startsWith('/api/');
}

const notBuilt = html`<!doctype html>
<html lang="en">
  <head><meta charset="utf-8" /><title>uellm</title></head>
  <body>
    <h1>uellm</h1>
    <p>The dashboard is not built: run <code>npm run build</code> and start again.</p>
    <p>The API is at <code>/api/v1</code>, and described at <a href="/docs">/docs</a>.</p>
  </body>
</html>`;
