#!/usr/bin/env bash
# Installs the chart into a kind cluster of its own, runs `helm test` (stream plan, one event that arrives) and deletes the cluster again.
# Usage: deploy/kind/run.sh [node image, for example kindest/node:v1.34.0]      Needs docker, kind, kubectl and helm; KEEP=1 keeps the cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for tool in docker kind kubectl helm; do
  command -v "$tool" > /dev/null || { echo "$tool is not on the PATH." >&2; exit 1; }
done

cluster=plexus-test
work=$(mktemp -d)
finish() {
  local code=$?
  if [[ $code -ne 0 ]]; then
    kubectl -n plexus get pods,jobs -o wide || true
    kubectl -n plexus logs --all-containers --prefix --tail 40 -l app.kubernetes.io/part-of=plexus || true
  fi
  if [[ -z ${KEEP:-} ]]; then kind delete cluster --name "$cluster"; fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

node deploy/images/build.mjs gateway routing push memory scheduler cli runtime
kind create cluster --name "$cluster" --wait 120s ${1:+--image "$1"}
tag=$(node -p "require('./package.json').version")
for target in gateway routing push memory scheduler cli runtime; do
  kind load docker-image "plexus/$target:$tag" --name "$cluster"
done

kubectl create namespace plexus
npx plexus nats accounts "$work/accounts"
openssl rand -hex 24 | tr -d '\n' > "$work/password"
{ printf 'postgresql://plexus:'; cat "$work/password"; printf '@postgres.plexus.svc:5432/plexus'; } > "$work/url"
openssl rand -hex 32 | tr -d '\n' > "$work/token"
openssl rand -hex 32 | tr -d '\n' > "$work/master-key"
openssl rand -hex 32 | tr -d '\n' > "$work/vm-token"
kubectl -n plexus create configmap nats --from-file=deploy/kind/nats.conf --from-file="$work/accounts/accounts.conf"
kubectl -n plexus create secret generic plexus-nats --from-file="$work/accounts/seeds"
kubectl -n plexus create secret generic postgres --from-file="$work/password"
kubectl -n plexus create secret generic plexus-postgres --from-file="$work/url" --from-file="memory-url=$work/url"
kubectl -n plexus create secret generic plexus-keys --from-file="$work/master-key" --from-file="$work/vm-token"
kubectl -n plexus create secret generic plexus-smoke --from-file="$work/token"
kubectl apply -f deploy/kind/servers.yaml
for server in nats postgres; do kubectl -n plexus rollout status "deployment/$server" --timeout 180s; done

helm install plexus helm/plexus --namespace plexus --values deploy/kind/values.yaml --wait --timeout 10m
helm -n plexus test plexus --timeout 5m --logs
