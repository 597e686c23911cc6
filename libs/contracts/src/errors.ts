import { type CreateErrorOptions, createErrorRegistry, type PlexusError } from '@plexus/kernel';
import { ERROR_CODES, type ErrorCode } from './error-codes.js';

/** Every error code of the mesh, ready to be thrown or looked up. */
export const errors = createErrorRegistry(ERROR_CODES);

/** The error of a code, with its public sentence, status and retryability from the table. */
export function plexusError(code: ErrorCode, options?: CreateErrorOptions): PlexusError {
  return errors.create(code, options);
}
