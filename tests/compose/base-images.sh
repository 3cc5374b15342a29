#!/usr/bin/env bash
# Makes stand-ins for the base images that envoy/compose.yaml and envoy/images/Dockerfile name, for machines without a
# container registry: the same names and tags, from Debian's packages, this machine's Rust toolchain with the crates that
# it has downloaded, and the Envoy that the tests use. An image that is there already, pulled or built, is left alone; so
# `docker pull` them first to test with the real ones.
#
#   base-images.sh [PATH OF ENVOY]
set -euo pipefail

recipe=2 # Count up when anything below changes what comes out.
label=wxgate-tests.stand-in
repository=$(cd "$(dirname "$0")/../.." && pwd)
work=${CARGO_TARGET_DIR:-$repository/target}/compose

# Whether IMAGE is a real one, or a stand-in made of VERSION.
is_there() {
  local made_of
  made_of=$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$1" 2>/dev/null) || return 1
  case $made_of in
    "" | "<no value>") echo "$1: using the image that is here" ;;
    "$2") ;;
    *) return 1 ;;
  esac
}

# Two images are made at once, and apt is for one at a time.
install_mmdebstrap() {
  flock 9
  command -v mmdebstrap >/dev/null && return
  echo "installing Debian's mmdebstrap, to make base images"
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends mmdebstrap; } ||
    { echo "please install mmdebstrap"; exit 1; }
}

# Debian with some packages and hooks, as an archive on standard output. Whoever imports it first lets it end: the engine would take
# what came of a failure for an image.
debian() {
  install_mmdebstrap 9>"$work/lock" >&2
  mmdebstrap --quiet --variant=minbase \
    --dpkgopt=path-exclude=/usr/share/man/* --dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/locale/* \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' "$@" bookworm -
}

make_debian() {
  local image=debian:bookworm-slim version=$recipe
  is_there $image "$version" && return
  echo "making a stand-in for $image"
  debian >"$work/debian.tar"
  docker import --change 'CMD ["bash"]' --change "LABEL $label=\"$version\"" "$work/debian.tar" $image >/dev/null
  rm "$work/debian.tar"
}

make_rust() {
  local image=rust:1.95-bookworm crates=${CARGO_HOME:-$HOME/.cargo}/registry sysroot version
  sysroot=$(rustc --print sysroot)
  version="$recipe, $(rustc --version), $(sha256sum <"$repository/Cargo.lock")"
  is_there $image "$version" && return
  echo "making a stand-in for $image"
  # As a volume, the compiler's output stays out of the engine's layered file system, which is slow for it.
  # A crate that is missing is an error at once: the build inside must not depend on who else is in reach.
  sysroot=$sysroot crates=$crates debian --include=gcc,libc6-dev \
    --customize-hook='mkdir -p "$1/usr/local/rustup" "$1/usr/local/cargo/registry"' \
    --customize-hook='tar -C "$sysroot" --exclude="lib/rustlib/wasm32*" --exclude="*.json" -c bin lib | tar -C "$1/usr/local/rustup" -x' \
    --customize-hook='tar -C "$crates" -c cache index | tar -C "$1/usr/local/cargo/registry" -x' >"$work/rust.tar"
  docker import \
    --change 'ENV PATH=/usr/local/rustup/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true' \
    --change 'VOLUME /compiled' --change 'CMD ["bash"]' --change "LABEL $label=\"$version\"" "$work/rust.tar" $image >/dev/null
  rm "$work/rust.tar"
}

make_envoy() {
  local image=envoyproxy/envoy:v1.40.0 envoy=$1 version
  # On PATH there may be a script of Python's that starts the program.
  if [ "$(head -c 4 "$envoy" | tail -c 3)" != ELF ]; then
    envoy=$(python3 -c 'import envoy, pathlib; print(pathlib.Path(envoy.__file__).parent / "_bin/envoy")')
  fi
  version="$recipe, $("$envoy" --version | tr -d '\n')"
  is_there $image "$version" && return
  echo "making a stand-in for $image"
  rm -rf "$work/envoy" && mkdir -p "$work/envoy"
  cp "$envoy" "$work/envoy/envoy"
  cat >"$work/envoy/Dockerfile" <<'END'
FROM debian:bookworm-slim
RUN groupadd --system --gid 101 envoy && useradd --system --no-create-home --uid 101 --gid envoy envoy
COPY envoy /usr/local/bin/envoy
CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]
END
  DOCKER_BUILDKIT=0 docker build --quiet --label "$label=$version" --tag $image "$work/envoy" >/dev/null
  rm -rf "$work/envoy"
}

mkdir -p "$work"
make_rust &
rust=$!
make_debian
make_envoy "${1:-$(command -v envoy)}"
wait $rust
