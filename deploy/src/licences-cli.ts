import { readFileSync } from 'node:fs';
import { EXCEPTIONS, type Lockfile, objections, shippedPackages } from './licences.js';

// `npm run licences`: which licences come with what we ship, from the lockfile alone. Exit 1 when one of them is not allowed.
const lockfile = JSON.parse(readFileSync(process.argv[2] ?? 'package-lock.json', 'utf8')) as Lockfile;
const shipped = shippedPackages(lockfile);
const byLicence = new Map<string, number>();
for (const { licence } of shipped) byLicence.set(licence, (byLicence.get(licence) ?? 0) + 1);
for (const [licence, count] of [...byLicence].sort((a, b) => b[1] - a[1])) process.stdout.write(`${String(count).padStart(5)}  ${licence}\n`);
for (const [name, reason] of Object.entries(EXCEPTIONS)) process.stdout.write(`excepted: ${name} (${reason})\n`);
const refused = objections(shipped);
for (const { name, version, licence, neededBy } of refused)
  process.stdout.write(`not allowed: ${name} ${version} (${licence}), through ${neededBy.join(', ')}\n`);
process.stdout.write(`${shipped.length} packages, ${refused.length} not allowed\n`);
process.exitCode = refused.length === 0 ? 0 : 1;
