import { z } from 'zod';

/** Name of a variable that a reference may use. */
export const REFERENCE_NAME = /^[A-Z_][A-Z0-9_]*$/;
const WHOLE_REFERENCE = /^\$\{([A-Z_][A-Z0-9_]*)\}$/;

const NO_REFERENCE = `must be a reference (\${NAME}, {env}, {file} or {sealed}); the secret itself does not belong into the configuration`;
const Name = z.string().max(128).regex(REFERENCE_NAME, { error: 'must be a variable name: [A-Z_][A-Z0-9_]*' });

/**
 * Where a secret is, never the secret: a variable (`${NAME}` or `{env}`), a file that the resolving service can read, or a text that
 * was sealed with the master key. Whoever needs the value resolves it as late as possible (`resolveSecret`).
 */
export const SecretRef = z.union(
  [
    z.string().max(132, { error: NO_REFERENCE }).regex(WHOLE_REFERENCE, { error: NO_REFERENCE }),
    z.strictObject({ env: Name.describe('Variable of the service that needs the value.') }),
    z.strictObject({ file: z.string().min(1).max(4_096).describe('Absolute path; one trailing line break is not part of the secret.') }),
    z.strictObject({ sealed: z.string().min(1).max(16_384).describe('Output of `sealSecret`.') }),
  ],
  { error: NO_REFERENCE },
);
export type SecretRef = z.infer<typeof SecretRef>;

/** The variable that `${NAME}` names; undefined for any other text. */
export function referenceName(text: string): string | undefined {
  return WHOLE_REFERENCE.exec(text)?.[1];
}

/** True for every form of a reference to a secret. */
export function isSecretRef(value: unknown): value is SecretRef {
  return SecretRef.safeParse(value).success;
}
