#!/usr/bin/env bash
# Makes what ../compose.yaml needs and no repository may hold: the Redis password and the folder of provider keys. Leaves alone what
# is there. `--demo` also puts the catalogue of the simulated providers beside your own.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
case ${1:-} in '' | --demo) ;; *) sed -n '2,3s/^# //p' "$0" >&2; exit 64 ;; esac

# Nobody else on this machine gets into the folder; inside the containers the files are read by users without privileges.
mkdir -p -m 700 secrets
mkdir -p -m 755 secrets/providers
if [ ! -e secrets/redis-password ]; then
  password=$(head -c 32 /dev/urandom | base64 | tr -d '/+=\n')
  printf %s "$password" >secrets/redis-password
  # Redis is told the hash only.
  printf 'user default on sanitize-payload #%s ~* &* +@all\n' "$(printf %s "$password" | sha256sum | cut -d' ' -f1)" >secrets/redis-users
  chmod 644 secrets/redis-password secrets/redis-users
fi
if [ "${1:-}" = --demo ]; then cp demo/catalogue.yaml config/catalogue/demo.yaml; fi
