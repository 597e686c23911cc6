/** As much of package-lock.json (version 3) as says who needs whom, under which licence. */
export interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export interface LockedPackage {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string | { readonly type?: string };
  /** A workspace: `resolved` is its folder. */
  readonly link?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A package of others that comes with what we ship. */
export interface ShippedPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression as the package states it; `UNKNOWN` where it states none. */
  readonly licence: string;
  /** The projects of ours that bring it. */
  readonly neededBy: readonly string[];
}

/** Licences that ask for no more than naming their authors, and the one weak copyleft that ends at the borders of its own files. */
export const ALLOWED: ReadonlySet<string> = new Set([
  ...['MIT', 'MIT-0', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0'],
  ...['Unlicense', 'CC0-1.0', 'PSF-2.0', 'Python-2.0', 'Zlib', 'PostgreSQL'],
]);

/** Packages that may be there although their licence is not in the list: each with the reason. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  'web-push': 'MPL-2.0: used unchanged, as a library; its obligations end at its own files',
};

/** What runs in production: everything but tools of development. */
const NOT_SHIPPED = new Set(['libs/testing', 'libs/chaos', 'deploy']);

/** Every package of others that a shipped project reaches through dependencies (also optional ones and peers). */
export function shippedPackages(lockfile: Lockfile): ShippedPackage[] {
  const { packages } = lockfile;
  const projects = Object.keys(packages).filter((place) => /^(libs|services)\/[^/]+$/.test(place) && !NOT_SHIPPED.has(place));
  const neededBy = new Map<string, Set<string>>();
  for (const project of projects) {
    const pending = [project];
    const seen = new Set(pending);
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      for (const next of requirements(packages, place)) {
        if (seen.has(next)) continue;
        seen.add(next);
        pending.push(next);
        if (next.includes('node_modules/')) (neededBy.get(next) ?? neededBy.set(next, new Set()).get(next))?.add(project);
      }
    }
  }
  return [...neededBy]
    .map(([place, by]) => ({
      name: place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version: packages[place]?.version ?? '',
      licence: licenceOf(packages[place]),
      neededBy: [...by].sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
}

/** Those whose licence is neither allowed nor excepted. */
export function objections(shipped: readonly ShippedPackage[]): ShippedPackage[] {
  return shipped.filter(({ name, licence }) => !isAllowed(licence) && !Object.hasOwn(EXCEPTIONS, name));
}

/** `A OR B`: one suffices; `A AND B`: all must be; parentheses group. */
export function isAllowed(expression: string): boolean {
  const text = expression.trim().replace(/^\(([^()]*)\)$/, '$1');
  if (/\sOR\s/.test(text)) return text.split(/\sOR\s/).some(isAllowed);
  if (/\sand\s/i.test(text)) return text.split(/\sand\s/i).every(isAllowed);
  return ALLOWED.has(text);
}

function licenceOf(found: LockedPackage | undefined): string {
  const licence = found?.license;
  return (typeof licence === 'string' ? licence : licence?.type) ?? 'UNKNOWN';
}

function requirements(packages: Lockfile['packages'], place: string): string[] {
  const { dependencies, optionalDependencies, peerDependencies = {}, peerDependenciesMeta = {} } = packages[place] ?? {};
  // An optional peer is there because somebody else wants it: a tool of development, most often.
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  const names = [...new Set([...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers])];
  return names.flatMap((name) => {
    const found = resolve(packages, place, name);
    return found === undefined ? [] : [found];
  });
}

/** As Node looks: beside the package, then further and further up. What is not installed (an optional one) is not shipped either. */
function resolve(packages: Lockfile['packages'], from: string, name: string): string | undefined {
  for (let folder = from; ; folder = parentOf(folder)) {
    const candidate = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    const found = packages[candidate];
    if (found !== undefined) return found.link === true ? found.resolved : candidate;
    if (folder === '') return undefined;
  }
}

function parentOf(folder: string): string {
  const at = folder.lastIndexOf('/node_modules/');
  if (at >= 0) return folder.slice(0, at);
  return folder.startsWith('node_modules/') || !folder.includes('/') ? '' : folder.slice(0, folder.lastIndexOf('/'));
}
