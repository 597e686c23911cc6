import { describeInvariants } from './support/invariants.js';

describeInvariants(6_000);
