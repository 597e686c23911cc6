/** Outcome that a caller is expected to look at: failures that are part of the contract travel as values, not as exceptions. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** Takes the value out, or throws the error (wrapped when it is not an `Error`). For places where failure is a broken promise. */
export function unwrap<T, E>(result: Result<T, E>): T {
  if (result.ok) return result.value;
  if (result.error instanceof Error) throw result.error;
  throw new Error(typeof result.error === 'string' ? result.error : 'unwrapped a failed result', { cause: result.error });
}
