import path from 'node:path';
import { bindingConflicts, configHash, diffPaths, loadConfigFile, mergePatch, validateTenantConfig } from '@plexus/agent-config';
import type { ConfigRules } from '../application/config-ports.js';

/** Texts that come over the mesh have no folder: the name only shows in messages. */
const DOCUMENT = path.resolve('/document');

/** The library's rules, as the use cases want them. Files of this machine are none of a tenant's business: directories and avatars are checked where the agent runs. */
export const agentConfigRules: ConfigRules = {
  parse(text) {
    const loaded = loadConfigFile(DOCUMENT, {
      readFile: (file) => {
        if (file === DOCUMENT) return text;
        throw Object.assign(new Error('includes are resolved by whoever sends the document'), { code: 'ENOENT' });
      },
    });
    return loaded.ok ? { ok: true, value: loaded.value.document } : { ok: false, error: loaded.error.map((issue) => ({ ...issue })) };
  },
  validate(document) {
    const { config, issues, warnings } = validateTenantConfig(document);
    const conflicts = config === undefined ? [] : bindingConflicts(config).map((conflict) => ({ ...conflict, indexes: [...conflict.indexes] }));
    return { issues: issues.map((issue) => ({ ...issue })), warnings: warnings.map((warning) => ({ ...warning })), conflicts };
  },
  patch: (document, patch) => mergePatch(document, patch),
  hash: configHash,
  changedPaths: diffPaths,
};
