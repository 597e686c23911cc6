import { agentMethods } from './agent.methods.js';
import { catalogueMethods } from './catalogue.methods.js';
import { channelMethods } from './channel.methods.js';
import { chatMethods } from './chat.methods.js';
import { cronMethods } from './cron.methods.js';
import type { MethodHandlers } from './method-context.js';
import { nodeMethods } from './node.methods.js';
import { ownMethods } from './own.methods.js';
import { sessionCareMethods } from './session-care.methods.js';
import { sessionRunMethods } from './session-run.methods.js';
import { sessionMethods } from './session.methods.js';
import { systemMethods } from './system.methods.js';
import { usageMethods } from './usage.methods.js';

/** The handler of every method; the compiler holds this against the table of methods. */
export const METHOD_HANDLERS: MethodHandlers = {
  ...systemMethods,
  ...chatMethods,
  ...sessionMethods,
  ...sessionCareMethods,
  ...sessionRunMethods,
  ...channelMethods,
  ...agentMethods,
  ...cronMethods,
  ...nodeMethods,
  ...ownMethods,
  ...catalogueMethods,
  ...usageMethods,
};
