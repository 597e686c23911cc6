// Everything that the mesh says or understands: schemas, subjects, error codes. Needs Node (archives are hashed with node:crypto).
export * from '@plexus/contracts';
