import { defineConfig } from 'vitepress';

// The whole repository's pages, each at one place: README files of services and libraries are part of the site.
const SERVICES = ['gateway', 'routing', 'push', 'memory', 'scheduler', 'runtime', 'channels', 'console'];
const LIBRARIES = ['sdk', 'contracts', 'bus', 'client-protocol', 'vm-protocol', 'agent-config', 'routing-core', 'context-window', 'cli'];
const page = (text: string, link: string) => ({ text, link });

export default defineConfig({
  title: 'Plexus',
  description: 'The control plane for AI agents, as a mesh of services over NATS.',
  srcDir: '..',
  outDir: '../report/site',
  cacheDir: '../node_modules/.cache/vitepress',
  srcExclude: ['**/node_modules/**', '**/dist/**', 'report/**', 'cache/**', '.plexus/**', 'proto/**', 'CHANGELOG.md'],
  rewrites: { 'docs/README.md': 'index.md', 'docs/:page*': ':page*', ':folder/:project/README.md': ':folder/:project/index.md', 'README.md': 'readme.md' },
  cleanUrls: true,
  lastUpdated: false,
  // Pages are Markdown and nothing else: angle brackets and braces in them are text, not templates.
  markdown: { html: false },
  vue: { template: { compilerOptions: { delimiters: ['\u0001', '\u0002'] } } },
  // Links to sources are for readers of the repository; tests check that they exist.
  ignoreDeadLinks: [/^(?!.*\.md).*\/(src|test|bench|policies|bridge)(\/|$)/, /\.(ts|mjs|yaml|json|sh|py|go|proto)$/, /LICENSE/, /\.\.\/\.\.\//],
  themeConfig: {
    search: { provider: 'local' },
    nav: [page('Start', '/start'), page('Concepts', '/concepts'), page('Reference', '/reference/'), page('Guarantees', '/guarantees')],
    sidebar: [
      { text: 'Begin', items: [page('Ten minutes', '/start'), page('Concepts', '/concepts'), page('Examples', '/examples/README'), page('Questions', '/faq')] },
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
          page('Kubernetes', '/guides/kubernetes'),
          page('Security', '/security'),
          page('Scaling', '/scaling'),
          page('Rotating keys', '/guides/key-rotation'),
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
          page('Configuration', '/reference/configuration'),
          page('Errors', '/reference/errors'),
          page('Streams and roles', '/reference/topology'),
          page('Decisions', '/adr/README'),
        ],
      },
      { text: 'Services', collapsed: true, items: SERVICES.map((name) => page(name, `/services/${name}/`)) },
      { text: 'Libraries', collapsed: true, items: LIBRARIES.map((name) => page(name, `/libs/${name}/`)) },
    ],
  },
});
