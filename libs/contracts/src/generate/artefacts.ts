import { CONTRACTS, contractName } from '../registry.js';
import { asyncApiDocument } from './async-api.js';
import { jsonSchemaFile } from './json-schema.js';
import { permissionFiles } from './nats-permissions.js';
import { type FieldNumbers, protoFiles } from './proto.js';
import { contractsPage, errorsPage, topologyPage } from './reference.js';

export const FIELD_NUMBERS_FILE = 'proto/field-numbers.json';
const GOLDEN_FOLDER = 'libs/contracts/test/golden';

export interface Artefact {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly content: string;
  /** Golden examples are written once and never changed. */
  readonly keepExisting?: boolean;
}

/** Everything that is generated from the contracts. `lockedNumbers` is the content of {@link FIELD_NUMBERS_FILE}. */
export function artefacts(lockedNumbers: FieldNumbers): Artefact[] {
  const numbers = structuredClone(lockedNumbers);
  const protos = protoFiles(numbers);
  return [
    ...CONTRACTS.map(jsonSchemaFile),
    { path: 'proto/asyncapi/plexus.json', content: `${JSON.stringify(asyncApiDocument(), null, 2)}\n` },
    ...protos,
    { path: FIELD_NUMBERS_FILE, content: `${JSON.stringify(numbers, null, 2)}\n` },
    ...permissionFiles(),
    { path: 'docs/reference/contracts.md', content: contractsPage() },
    { path: 'docs/reference/errors.md', content: errorsPage() },
    { path: 'docs/reference/topology.md', content: topologyPage() },
    ...CONTRACTS.map((contract) => ({
      path: `${GOLDEN_FOLDER}/${contractName(contract).replace(' ', '.')}.json`,
      content: `${JSON.stringify(contract.examples, null, 2)}\n`,
      keepExisting: true,
    })),
  ];
}
