import { describeInvariants } from '../../test/support/invariants.js';

describeInvariants(500);
