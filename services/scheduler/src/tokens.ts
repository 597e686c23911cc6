/** Injection tokens of ports. */
export const RUN_STORE = Symbol('scheduler.run-store');
