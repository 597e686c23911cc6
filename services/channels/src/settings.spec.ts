import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHANNEL_ADAPTERS } from '@plexus/contracts';
import { BUILT_IN_CHANNELS } from '@plexus/agent-config';
import { channelConfig } from './kit/config.js';
import { slackSettings } from './slack/settings.js';
import { telegramSettings } from './telegram/settings.js';
import { upstreamSettings } from './upstream/settings.js';
import { webhookSettings } from './webhook/settings.js';

const readme = readFileSync(path.join(path.dirname(fileURLToPath(import.meta.url)), '../README.md'), 'utf8');

it('the adapters of the contracts are those of the configuration', () => expect([...CHANNEL_ADAPTERS].sort()).toEqual([...BUILT_IN_CHANNELS].sort()));

it.each(Object.keys(channelConfig.shape))('%s stands in the README', (name) => expect(readme).toContain(`\`${name}\``));

it.each(
  Object.entries({ webhook: webhookSettings, telegram: telegramSettings, slack: slackSettings, upstream: upstreamSettings }).flatMap(([adapter, schema]) =>
    Object.keys(schema.shape).map((name) => [adapter, name] as const),
  ),
)('%s: setting %s stands in its table of the README', (adapter, name) => {
  const section = new RegExp(`### ${adapter}\\n[\\s\\S]*?(?=\\n##)`).exec(readme)?.[0] ?? '';
  expect(section).toContain(`\`${name}\``);
});
