import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';

// `npm run dev` borrows /config.json and the WebSocket of a running gateway; behind one port, the REST API too.
const GATEWAY = process.env.LEADWIRE_PROXY ?? 'http://127.0.0.1:6001';

/** Beside each file of text its gzip, which the gateway sends to browsers that take it. */
const compressed: Plugin = {
  name: 'compressed',
  apply: 'build',
  writeBundle({ dir }) {
    const assets = join(dir!, 'assets');
    for (const name of readdirSync(assets).filter((file) => /\.(js|css)$/.test(file))) {
      writeFileSync(join(assets, `${name}.gz`), gzipSync(readFileSync(join(assets, name)), { level: 9 }));
    }
  },
};

export default defineConfig({
  plugins: [vue(), compressed],
  build: {
    cssCodeSplit: false, // a dozen small files more would cost more than these few KB
    rolldownOptions: {
      output: {
        // What every page needs, in two files: one that changes with our code, one that does not.
        codeSplitting: {
          groups: [
            { name: 'vendor', test: /node_modules[\\/](?!chart\.js|@kurkle|@atlaskit)/, priority: 2 },
            { name: 'shared', test: /src[\\/](?!pages|board|debug|locales)/, minShareCount: 2, priority: 1 },
          ],
        },
      },
    },
  },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_I18N_LEGACY_API__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  server: {
    proxy: {
      '/config.json': GATEWAY,
      '/app': { target: GATEWAY, ws: true },
      '/api': GATEWAY,
    },
  },
});
