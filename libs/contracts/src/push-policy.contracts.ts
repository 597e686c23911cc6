/** Policies of a tenant: drafts, tests, activation, replay; explanations, feedback and statistics. */
export {};
