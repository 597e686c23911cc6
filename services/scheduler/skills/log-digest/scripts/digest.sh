#!/bin/sh
# Usage: digest.sh <file> [how many kinds]. Groups the lines of a log that differ only in numbers and ids.
set -eu
file=${1:?usage: digest.sh <file> [how many kinds]}
kinds=${2:-40}
[ -r "$file" ] || { echo "cannot read $file" >&2; exit 1; }
awk '
{
  kind = $0
  gsub(/[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+/, "#", kind)
  gsub(/0x[0-9a-fA-F]+/, "#", kind)
  gsub(/[0-9]+/, "#", kind)
  gsub(/#([:.,T\/+-]*#)+/, "#", kind)
  count[kind]++
  if (count[kind] == 1) { first[kind] = NR; example[kind] = $0 }
  last[kind] = NR
}
END {
  for (kind in count) printf "%d\t%d-%d\t%s\n", count[kind], first[kind], last[kind], substr(example[kind], 1, 400)
}' "$file" | sort -k1,1nr -k2,2n | head -n "$kinds"
