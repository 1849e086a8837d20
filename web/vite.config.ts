import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type HtmlTagDescriptor, type Plugin } from 'vite';

/**
 * The entry module is tiny, so that a watch page can start its session before React is there; this
 * names the rest and the font in the page's head, so that they are fetched at the same time.
 */
function preloads(): Plugin {
  return {
    name: 'tallylight-preloads',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle, filename }) {
        const tags: HtmlTagDescriptor[] = [];
        // The page for frames has neither.
        if (!filename.endsWith('index.html')) return tags;
        for (const file of Object.values(bundle ?? {})) {
          if (file.type === 'chunk' && file.name === 'app') {
            for (const name of [file.fileName, ...file.imports]) {
              tags.push({ tag: 'link', attrs: { rel: 'modulepreload', href: `/${name}` }, injectTo: 'head' });
            }
          }
          if (file.type === 'asset' && /inter-latin-wght-normal.*\.woff2$/.test(file.fileName)) {
            tags.push({
              tag: 'link',
              attrs: {
                rel: 'preload',
                as: 'font',
                type: 'font/woff2',
                href: `/${file.fileName}`,
                crossorigin: '',
              },
              injectTo: 'head',
            });
          }
        }
        return tags;
      },
    },
  };
}

/** Where `npm run dev` sends what is not a page: a Tallylight server started by hand. */
const server = process.env.TALLYLIGHT_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react(), tailwindcss(), preloads()],
  build: {
    target: 'es2022',
    manifest: true,
    // The pages' Content-Security-Policy allows no data: fonts and no inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: 'index.html', embed: 'embed.html', player: 'src/player_script.ts' },
      output: {
        // Other sites name it in their pages.
        entryFileNames: ({ name }) => (name === 'player' ? 'player.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  server: {
    proxy: { '/api': server, '/whip': server, '/whep': server },
  },
});
