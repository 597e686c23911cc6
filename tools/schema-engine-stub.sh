#!/bin/sh
# Stands in for Prisma's native schema engine, which `prisma generate` looks for but does not need.
echo "the native schema engine is not used in this repository: see libs/database" >&2
exit 1
