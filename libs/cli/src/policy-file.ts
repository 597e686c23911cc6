import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { pushPolicyContracts } from '@plexus/contracts';
import { repositoryRoot } from '@plexus/local-stack';
import { CommandFailure, EXIT } from './exit-code.js';

/** What push makes of a policy in a file; see `services/push/src/policy-file.ts`. */
export interface CheckedPolicyFile {
  readonly name?: string;
  readonly digest?: string;
  readonly issues: readonly { readonly path: string; readonly message: string }[];
  readonly report?: pushPolicyContracts.PolicyTestReport;
}

/** The text of a policy file. */
export function readPolicyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CommandFailure(`${file} cannot be read: ${(cause as Error).message}`, EXIT.usage);
  }
}

/** Runs the embedded tests of a policy with the engine of the push service that is built here; no mesh is needed. */
export async function checkPolicyFile(text: string): Promise<CheckedPolicyFile> {
  // A library does not depend on a service: the command loads what is installed beside it, as the local mesh starts it.
  const built = path.join(repositoryRoot(), 'services', 'push', 'dist', 'src', 'policy-file.js');
  if (!existsSync(built)) throw new CommandFailure(`push is not built: there is no ${built}.`, EXIT.failed, 'Run `npm run build`.');
  const { checkPolicyFile: check } = (await import(pathToFileURL(built).href)) as { checkPolicyFile: (text: string) => CheckedPolicyFile };
  return check(text);
}
