// The random suites once more, with as many operations as the long tier has time for (they ask for the tier themselves).
await import('./state-backends.int.spec.js');
await import('./conservation.int.spec.js');
export {};
