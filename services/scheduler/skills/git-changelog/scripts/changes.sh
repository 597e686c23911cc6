#!/bin/sh
# Usage: changes.sh [from] [to]. Subjects of the commits between two revisions, grouped by conventional type.
set -eu
to=${2:-HEAD}
from=${1:-$(git describe --tags --abbrev=0 "$to" 2>/dev/null || true)}
range=${from:+$from..}$to
echo "# $range"
git log --no-merges --format='%h %s' "$range" | awk '
{
  hash = $1
  subject = substr($0, length(hash) + 2)
  kind = "other"
  if (match(subject, /^[a-z]+(\([^)]*\))?!?:/)) {
    kind = substr(subject, 1, RLENGTH - 1)
    breaking = kind ~ /!$/
    sub(/\(.*/, "", kind); sub(/!$/, "", kind)
    if (breaking) kind = "breaking " kind
  }
  if (!(kind in text)) order[++kinds] = kind
  text[kind] = text[kind] "- " subject " (" hash ")\n"
}
END { for (i = 1; i <= kinds; i++) printf "\n## %s\n%s", order[i], text[order[i]] }'
echo
if [ -n "$from" ]; then git diff --shortstat "$from" "$to"; fi
