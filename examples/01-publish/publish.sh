#!/usr/bin/env bash
# An event enters the mesh with the `nats` command and nothing else:
#   examples/01-publish/publish.sh
set -euo pipefail
if ! command -v nats > /dev/null; then
  echo 'The nats command is not installed (https://github.com/nats-io/natscli); publish-plain.sh does the same with bash alone.' >&2
  exit 69
fi
state=${PLEXUS_STATE_DIR:-.plexus}
id="shell-$(date +%s%N)"
event='{"specversion":"1.0","id":"'$id'","source":"/demo","type":"demo.import-finished","data":{"summary":"4,212 rows imported, says a shell","caseId":"case-7"}}'
nats --server "$(cat "$state/credentials/demo.url")" --inbox-prefix _INBOX_.default.demo \
  request -H "Nats-Msg-Id:default:/demo:$id" plexus.in.default.demo.import-finished.v1.case-7 "$event"
