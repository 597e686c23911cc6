/** Preferences, quiet hours, silences, grants, contacts: what people say about how they want to be reached. */
export {};
