import path from 'node:path';
import { bindingConflicts, configHash, diffPaths, loadConfigFile, mergePatch, parseTenantConfig } from '@plexus/agent-config';
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
    const parsed = parseTenantConfig(document);
    if (!parsed.ok) return { issues: parsed.error.map((issue) => ({ ...issue })), warnings: [], conflicts: [] };
    return { issues: [], warnings: [], conflicts: bindingConflicts(parsed.value).map((conflict) => ({ ...conflict, indexes: [...conflict.indexes] })) };
  },
  patch: (document, patch) => mergePatch(document, patch),
  hash: configHash,
  changedPaths: diffPaths,
};
