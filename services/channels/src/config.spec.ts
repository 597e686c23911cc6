import { configSchema } from './config.js';

it('starts with the settings of an empty environment', () => {
  expect(configSchema.safeParse({})).toMatchObject({ success: true });
});
