// What specs get when they import `fast-check` (jest.config.mjs maps it): the library itself, with one seed for every property, so that a run tells about
// the change and not about luck. `PLEXUS_SEED=$RANDOM npm test` draws other cases; a failure prints its seed either way.
import fc from '../node_modules/fast-check/lib/fast-check.js';

const FIXED_SEED = 20_261_122;

const given = process.env.PLEXUS_SEED;
const seed = given === undefined || given === '' ? FIXED_SEED : Number(given);
if (!Number.isInteger(seed)) throw new Error(`PLEXUS_SEED must be a whole number, not "${given}"`);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

export * from '../node_modules/fast-check/lib/fast-check.js';
export default fc;
