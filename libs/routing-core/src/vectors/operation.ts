// Vectors are data from outside: each operation names its own fields, and a wrong one shows as a failed vector.
// biome-ignore lint/suspicious/noExplicitAny: read from JSON
export type VectorInput = Record<string, any>;

/** Answers one vector. */
export type Operation = (input: VectorInput) => unknown;
