import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The page. Libraries are taken from their sources, so that nothing has to be built before it. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  resolve: { conditions: ['@plexus/source', 'module', 'browser', 'production'] },
  // `npx vite` beside a running mesh: the page with reloading, the API of the gateway.
  server: { proxy: { '/v1': 'http://127.0.0.1:18789', '/ws': { target: 'ws://127.0.0.1:18789', ws: true } } },
  build: {
    outDir: 'dist/page',
    emptyOutDir: true,
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    // Inlined assets would need `data:` in the content security policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
  },
});
