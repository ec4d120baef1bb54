#!/bin/bash
# Installs the Debian packages that Annals needs and that are missing. This is the one list of them.
#
# Usage: deploy/packages.sh [--list] GROUP…
#   build  what `bazel build //...` needs
#   library
#          the shared libraries alone that the programs need: of the image
#   image  what the image has beside: the CAs of those whom the server may be told to call
#   run    what deploy/quickstart.sh needs beside
#   test   what tests/run.sh needs beside
#   container
#          what tests/deploy/run.sh needs beside
#   clients
#          what tests/clients/run.sh needs beside
#   fuzz   what the configuration `fuzz` needs beside
#   bench  what tests/bench/run.sh needs beside
#   python, javascript, go, java, rust, cpp
#          what clients in that language need where the machine has no tools of its own
#   --list prints the packages instead of installing them
#
# Needs root or sudo only when something is missing. Takes no time and no network when nothing is.
set -euo pipefail

# libgtest-dev is here, as the one repository of installed libraries (WORKSPACE) names all of them.
build=(
  bazel-bootstrap
  g++
  gcc
  libc6-dev
  libcurl4-openssl-dev
  libglib2.0-dev
  libgnutls28-dev
  libgrpc-dev
  libgtest-dev
  libjansson-dev
  libmicrohttpd-dev
  libprotobuf-c-dev
  libprotobuf-dev
  librocksdb-dev
  libssl-dev
  libsystemd-dev
  pkgconf
  protobuf-c-compiler
  protobuf-compiler
  zlib1g-dev
)
# None of them is needed where the group build is installed: that has them all.
library=(
  libcurl4
  libglib2.0-0
  libgnutls30
  libgrpc29
  libjansson4
  libmicrohttpd12
  libprotobuf-c1
  librocksdb7.8
  libssl3
  libsystemd0
  zlib1g
)
image=(
  ca-certificates
)
run=(
  curl
)
# Where there is an init, Debian starts prometheus as a service, which the tests have no use for.
test=(
  awscli
  clang-format-14
  prometheus
  python3
  python3-boto3
  python3-cryptography
  python3-grpcio
  python3-protobuf
  systemd
)
clients=(
  faketime
)
fuzz=(
  clang
  lld
)
bench=(
  gnuplot-nox
  libprotobuf-dev
  nginx-light
  python3
  python3-grpcio
  rocksdb-tools
  strace
  valgrind
  wrk
)
python=(
  python3
  python3-venv
)
container=(
  binutils
  buildah
  crun
  debootstrap
  golang-github-containers-common
  python3-venv
)
javascript=(
  nodejs
  npm
)
go=(
  ca-certificates
  golang-go
  protobuf-compiler
)
cpp=(
  cmake
  g++
  libgrpc++-dev
  libprotobuf-dev
  make
  protobuf-compiler
  protobuf-compiler-grpc
)
java=(
  default-jdk-headless
  maven
)
rust=(
  ca-certificates
  cargo-web
  gcc
  libc6-dev
  protobuf-compiler
)

die() {
  echo "deploy/packages.sh: $*" >&2
  exit 1
}

list=
wanted=()
for group; do
  case $group in
    build | library | image | run | test | container | clients | fuzz | bench | python | javascript | go | java | rust | cpp)
      declare -n packages=$group
      wanted+=("${packages[@]}")
      ;;
    --list) list=1 ;;
    *) die "there is no group '$group': see the list in this file" ;;
  esac
done
if [[ $list ]]; then
  ((${#wanted[@]} == 0)) || printf '%s\n' "${wanted[@]}"
  exit 0
fi

installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

command -v dpkg-query >/dev/null || die "this is not Debian: install by hand: ${wanted[*]}"
missing=()
for package in "${wanted[@]}"; do
  installed "$package" || missing+=("$package")
done
((${#missing[@]})) || exit 0

# Asks for a password where there is somebody to ask, and else does without.
as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null ||
    die "missing: ${missing[*]}. Installing them needs root, or sudo, and neither is there."
  as_root=(sudo)
  [[ -t 0 ]] || as_root+=(-n)
  "${as_root[@]}" true || die "missing: ${missing[*]}. sudo refuses to install them."
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get --quiet --quiet \
    --option=DPkg::Lock::Timeout=300 --option=Dpkg::Use-Pty=0 "$@" </dev/null
}

echo "Installing ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Without a network the lists that are there may do.
apt update >"$log" 2>&1 || sed 's/^/apt-get update: /' "$log" >&2
if ! apt install --yes --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  refused=()
  for package in "${missing[@]}"; do
    installed "$package" ||
      apt install --simulate --no-install-recommends "$package" >/dev/null 2>&1 ||
      refused+=("$package")
  done
  ((${#refused[@]})) || refused=("${missing[@]}")
  die "cannot install ${refused[*]}: see apt-get's words above"
fi
