import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

// The whole repository's pages, each at one place: README files of services and libraries are part of the site.
const SERVICES = ['gateway', 'routing', 'push', 'memory', 'scheduler', 'runtime', 'channels', 'console'];
const LIBRARIES = ['sdk', 'contracts', 'bus', 'client-protocol', 'vm-protocol', 'agent-config', 'routing-core', 'context-window', 'cli'];
const page = (text: string, link: string) => ({ text, link });

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where a file of the repository is on the site: pages of docs/ at the top, a README as the index of its folder. */
function onSite(file: string): string {
  if (file === 'README.md') return 'readme.md';
  return file.replace(/^docs\//, '').replace(/(^|\/)README\.md$/, '$1index.md');
}

/** A link of a page as people write it for the repository, for the site. undefined: what it leads to is no page (tests check that it exists). */
function siteLink(href: string, from: string): string | undefined {
  if (/^([a-z][a-z+.-]*:|#|\/)/i.test(href)) return href;
  const [name = '', anchor] = href.split('#');
  let target = path.resolve(path.dirname(from), decodeURI(name));
  if (existsSync(target) && statSync(target).isDirectory()) target = path.join(target, 'README.md');
  if (!target.endsWith('.md') || !existsSync(target) || path.basename(target) === 'CHANGELOG.md') return undefined;
  const page = onSite(path.relative(root, target).split(path.sep).join('/')).replace(/(^|\/)index\.md$/, '$1');
  return `/${page}${anchor === undefined ? '' : `#${anchor}`}`;
}

export default defineConfig({
  title: 'Plexus',
  description: 'The control plane for AI agents, as a mesh of services over NATS.',
  srcDir: '..',
  outDir: '../report/site',
  cacheDir: '../node_modules/.cache/vitepress',
  srcExclude: ['**/node_modules/**', '**/dist/**', 'report/**', 'cache/**', '.plexus/**', 'proto/**', 'CHANGELOG.md'],
  rewrites: onSite,
  cleanUrls: true,
  lastUpdated: false,
  // Pages are Markdown and nothing else: angle brackets and braces in them are text, not templates.
  markdown: {
    html: false,
    // The anchors that GitHub gives, which the links of the repository use.
    anchor: {
      slugify: (heading: string) =>
        heading
          .trim()
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
          .replaceAll(' ', '-'),
    },
    // Links are for the repository; on the site they lead to the same page, or are plain text where they lead to a source. Marks of generated parts are for the programs that write them.
    config: (markdown) => {
      markdown.core.ruler.after('normalize', 'no-comments', (state) => {
        state.src = state.src.replaceAll(/^<!--.*?-->$/gms, '');
      });
      markdown.renderer.rules.text = (tokens, index) => markdown.utils.escapeHtml(tokens[index]?.content ?? '').replaceAll('{{', '&#123;&#123;');
      markdown.core.ruler.push('site-links', (state) => {
        for (const token of state.tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.type === 'link_open' ? token.attrGet('href') : null;
          if (href === null) continue;
          const link = siteLink(href, state.env.realPath ?? state.env.path);
          token.attrs = link === undefined ? [] : [['href', link]];
        }
      });
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    nav: [page('Start', '/start'), page('Concepts', '/concepts'), page('Reference', '/reference/'), page('Guarantees', '/guarantees')],
    sidebar: [
      {
        text: 'Begin',
        items: [
          page('Ten minutes', '/start'),
          page('A tour in pictures', '/tour'),
          page('Concepts', '/concepts'),
          page('Examples', '/examples/'),
          page('Questions', '/faq'),
        ],
      },
      {
        text: 'Guides',
        items: [
          page('Integrators: events in and out', '/guides/integrators'),
          page('Agent developers', '/guides/agents'),
          page('Who is told what', '/guides/push'),
          page('Channels', '/guides/channel-adapter'),
          page('Your own runtime', '/guides/runtime-adapter'),
          page('Coming from OpenClaw', '/guides/from-openclaw'),
          page('Contributors', '/guides/contributors'),
        ],
      },
      {
        text: 'Operating',
        items: [
          page('One page for operators', '/guides/operators'),
          page('Kubernetes', '/guides/kubernetes'),
          page('Security', '/security'),
          page('Runbooks', '/runbooks'),
          page('Scaling', '/scaling'),
          page('Load', '/load'),
          page('Backups', '/guides/backup'),
          page('Rotating keys', '/guides/key-rotation'),
          page('Erasing a person', '/guides/erasing-a-person'),
        ],
      },
      {
        text: 'What holds',
        items: [
          page('Guarantees', '/guarantees'),
          page('Performance', '/performance'),
          page('How well memory finds', '/quality-memory'),
          page('Compared', '/comparison'),
        ],
      },
      {
        text: 'Reference',
        items: [
          page('Contracts', '/reference/contracts'),
          page('HTTP', '/reference/http'),
          page('Commands', '/reference/cli'),
          page('Configuration', '/reference/configuration'),
          page('Errors', '/reference/errors'),
          page('Close codes', '/reference/close-codes'),
          page('Metrics', '/reference/metrics'),
          page('Streams and roles', '/reference/topology'),
          page('Decisions', '/adr/'),
        ],
      },
      { text: 'Services', collapsed: true, items: SERVICES.map((name) => page(name, `/services/${name}/`)) },
      { text: 'Libraries', collapsed: true, items: LIBRARIES.map((name) => page(name, `/libs/${name}/`)) },
    ],
  },
});
