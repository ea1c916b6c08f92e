import preact from '@preact/preset-vite';
import { defineConfig } from 'vite';

/** `npm run build` gives the output folder. While working on the dashboard, `vite web` proxies to an API that runs. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [preact()],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2022',
    // No inline code: a strict content security policy serves it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8080', '/readyz': 'http://127.0.0.1:8080' } },
});
