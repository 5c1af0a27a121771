#!/usr/bin/env bash
# Builds the images, with a container engine or, on a bare Debian 12, without one. README.md says more; --help lists the options.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)

usage() {
  cat <<'EOF'
deploy/docker/build.sh [option…]
  --engine docker|podman|buildah   default: docker where its daemon answers, else buildah
  --base IMAGE                     Debian 12 image to build on; default: docker.io/library/debian:12
  --bootstrap                      make the base image with mmdebstrap from this machine's own apt sources instead of pulling one;
                                   the default with buildah. Debian 12 only
  --install                        install the Debian packages this script and --check need
  --tag TAG                        default: the project's version; the images are signalbox/signalbox:TAG and signalbox/signalbox-all-in-one:TAG
  --jobs N                         compiler processes; default: one per processor
  --ccache DIR                     use this ccache folder for the compilation (buildah and podman); default: one of the engine's own
  --revision TEXT, --source URL    labels; default: the commit checked out, and none
  --context DIR                    the source tree to build; default: this one
  --check                          then run check.sh on both images
EOF
}
say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }

engine='' base='' bootstrap='' tag='' jobs='' ccache='' revision='' source='' context=$ROOT check='' install=''
while [ $# -gt 0 ]; do
  case $1 in
    --engine | --base | --tag | --jobs | --ccache | --revision | --source | --context)
      [ $# -gt 1 ] || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2"; shift ;;
    --bootstrap | --install | --check) printf -v "${1#--}" 1 ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
  esac
  shift
done

if [ -z "$engine" ]; then
  if docker info >/dev/null 2>&1; then engine=docker; else engine=buildah; fi
fi
[ "$engine" != buildah ] || [ -n "$base" ] || bootstrap=1

if [ -n "$install" ]; then
  # Takes need_packages from ./dev, which installs what is missing and lets no service start.
  (source "$ROOT/dev" source && need_packages buildah ca-certificates curl iptables mmdebstrap netavark aardvark-dns podman python3 runc)
fi
command -v "$engine" >/dev/null || fail "no $engine here (on Debian 12: --install)"

version=$(sed -n 's/^project(signalbox VERSION \([0-9.]*\).*/\1/p' "$context/CMakeLists.txt")
[ -n "$version" ] || fail "no version in $context/CMakeLists.txt"
tag=${tag:-$version}
revision=${revision:-$(git -C "$context" rev-parse HEAD 2>/dev/null || true)}

# A minimal Debian 12 from the mirrors this machine uses itself, through its proxy and with its certificate authorities. Printed:
# the name of the image.
bootstrap_base() {
  local name=localhost/signalbox-debian:12 folder mirrors options=()
  command -v mmdebstrap >/dev/null || fail "no mmdebstrap here (--install)"
  # shellcheck disable=SC2016  # apt replaces $(…)
  mirrors=$(apt-get indextargets --format '$(LABEL)|deb $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    sed -n 's/^Debian\(-Security\)\{0,1\}|\(deb .* bookworm[a-z-]* main\)$/\2/p' | sort -u)
  [ -n "$mirrors" ] || fail "this machine's apt knows no source of Debian 12 (bookworm); run apt-get update, or name an image with --base"
  folder=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$folder'" EXIT
  local line
  while IFS= read -r line; do options+=(--aptopt="$line"); done < <(apt-config dump Acquire | grep -iE '::(http|https)::(proxy|cainfo|verify)' || true)
  if [[ $mirrors == *https://* ]]; then
    options+=(--include=ca-certificates
      --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs')
  fi
  say "Bootstrapping Debian 12 from this machine's apt sources"
  mmdebstrap --quiet --variant=minbase --format=tar "${options[@]}" bookworm "$folder/base.tar" - <<<"$mirrors" >&2
  printf 'FROM scratch\nADD base.tar /\nCMD ["/bin/bash"]\n' >"$folder/Dockerfile"
  "$engine" "${build_command[@]}" -t $name "$folder" >&2
  echo $name
}

build_command=(build)
options=(-f "$HERE/Dockerfile")
case $engine in
  docker) [ -z "$ccache" ] || fail "--ccache is for buildah and podman" ;;
  podman | buildah)
    # The health check is not part of the OCI image format. Chroot isolation asks least of the machine it runs on.
    build_command=(build --format docker)
    [ "$engine" = podman ] || build_command=(bud --format docker --isolation "${BUILDAH_ISOLATION:-chroot}")
    options+=(--layers --ignorefile "$HERE/Dockerfile.dockerignore")
    if [ -n "$ccache" ]; then
      options+=(-v "$(readlink -f "$ccache"):/host-ccache" --build-arg CCACHE_DIR=/host-ccache)
    fi ;;
  *) fail "unknown engine $engine" ;;
esac
[ -z "$bootstrap" ] || base=$(bootstrap_base)
[ -z "$base" ] || options+=(--build-arg "BASE=$base")
[ -z "$jobs" ] || options+=(--build-arg "JOBS=$jobs")
options+=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE=$source")
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then options+=(--build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH"); fi

for target in signalbox all-in-one; do
  name=signalbox/signalbox
  [ $target = signalbox ] || name=signalbox/signalbox-all-in-one
  say "Building $name:$tag with $engine"
  "$engine" "${build_command[@]}" "${options[@]}" --target $target -t "$name:$tag" "$context"
done

if [ -n "$check" ]; then
  [ "$engine" != buildah ] || engine=podman  # which runs what buildah built
  exec "$HERE/check.sh" --engine "$engine" --tag "$tag"
fi
