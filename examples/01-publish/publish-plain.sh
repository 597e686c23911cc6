#!/usr/bin/env bash
# The same where not even `nats` is installed: NATS speaks lines of text over TCP, so bash and a socket will do.
#   examples/01-publish/publish-plain.sh
set -euo pipefail
state=${PLEXUS_STATE_DIR:-.plexus}
[[ $(cat "$state/credentials/demo.url") =~ ^nats://([^:]+):([^@]+)@([^:]+):([0-9]+)$ ]]
user=${BASH_REMATCH[1]} password=${BASH_REMATCH[2]} host=${BASH_REMATCH[3]} port=${BASH_REMATCH[4]}
id="plain-$(date +%s%N)"
event='{"specversion":"1.0","id":"'$id'","source":"/demo","type":"demo.import-finished","data":{"summary":"4,212 rows imported, says a socket","caseId":"case-7"}}'
headers=$'NATS/1.0\r\nNats-Msg-Id: default:/demo:'"$id"$'\r\n\r\n'
reply=_INBOX_.default.demo.receipt

exec 3<>"/dev/tcp/$host/$port"
{
  printf 'CONNECT {"user":"%s","pass":"%s","verbose":false,"headers":true}\r\n' "$user" "$password"
  printf 'SUB %s 1\r\n' "$reply"
  printf 'HPUB plexus.in.default.demo.import-finished.v1.case-7 %s %d %d\r\n%s%s\r\n' "$reply" "${#headers}" $((${#headers} + ${#event})) "$headers" "$event"
} >&3
# The receipt of the stream is the answer; what else the server says is skipped.
while IFS= read -r -t 10 line <&3; do
  case $line in
    *'"stream"'*) echo "stored: $line"; exit 0 ;;
    -ERR*) echo "refused: $line" >&2; exit 1 ;;
  esac
done
echo 'no receipt within 10 s: publish it again, with the same id' >&2
exit 1
