#!/bin/bash
# Builds the image and runs it in containers; checks the manifests of Kubernetes and runs pods as
# they say. Apart from tests/run.sh, as it downloads packages and needs root.
#
# Usage: tests/deploy/run.sh [MODULE…]
# All modules of tests/deploy, if none is named, such as image_test. The last line is
# "N passed, N failed"; what cannot be tried here is skipped, and counted on the line before.
# Downloads are kept in ${XDG_CACHE_HOME:-~/.cache}/annals-deploy.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export HOME="${HOME:-$(getent passwd "$EUID" | cut -d: -f6)}"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/annals-deploy
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$cache"

die() {
  echo "tests/deploy/run.sh: $*" >&2
  echo "0 passed, 1 failed"
  exit 1
}

store() {
  buildah --root "$dir/storage" --runroot "$dir/run" --storage-driver vfs "$@"
}

# A week is as old as the base may be.
make_base() {
  find "$cache/base.tar" -mtime +6 -delete 2>/dev/null
  [[ -f $cache/base.tar ]] || tests/deploy/base.sh "$cache/base.tar" || return 1
  local base
  base=$(store from scratch) && store add --quiet "$base" "$cache/base.tar" / >/dev/null &&
    store config --cmd bash "$base" && store commit --quiet --rm "$base" localhost/debian:12-slim >/dev/null
}

# From a copy of the tree that has what a clone would have.
build_image() {
  mkdir "$dir/tree" && git ls-files --cached --others --exclude-standard -z |
    xargs -0 cp --parents --target-directory="$dir/tree" || return 1
  store bud --isolation chroot --format docker --build-arg BASE=localhost/debian:12-slim \
    --build-arg REVISION=tested --file "$dir/tree/deploy/Dockerfile" --tag localhost/annals:local \
    "$dir/tree" >"$dir/build.log" 2>&1 || {
    tail -n 50 "$dir/build.log" >&2
    return 1
  }
  local container
  container=$(store from localhost/annals:local) &&
    ANNALS_IMAGE_ROOTFS=$(store mount "$container") &&
    store inspect --type image localhost/annals:local |
    /usr/bin/python3 -c 'import json, sys; json.dump(json.load(sys.stdin)["Docker"]["config"], sys.stdout)' \
      >"$dir/config.json" && store images
  export ANNALS_IMAGE_ROOTFS ANNALS_IMAGE_CONFIG=$dir/config.json
}

# What validates manifests, of Kubernetes' own schemas.
make_venv() {
  [[ -x $cache/venv/bin/pip ]] || /usr/bin/python3 -m venv --system-site-packages "$cache/venv" &&
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0
}

# What renders them: kubectl, where it is; else the program that it has built in.
find_kustomize() {
  if command -v kubectl >/dev/null; then
    KUSTOMIZE="kubectl kustomize"
  elif [[ -x $cache/kustomize ]] ||
    GOBIN=$cache go install sigs.k8s.io/kustomize/kustomize/v5@v5.0.3; then
    KUSTOMIZE="$cache/kustomize build"
  fi
  export KUSTOMIZE
}

deploy/packages.sh build run test container || die "packages are missing"
options=(--config=release --color=no --curses=no --noshow_progress)
bazel build "${options[@]}" --show_result=0 //proto:annals_v1_pb2 //proto:google_rpc_pb2 \
  //proto:grpc_standard_pb2 || die "the clients' messages cannot be built"
bin=$(bazel info "${options[@]}" bazel-bin 2>/dev/null)
python=/usr/bin/python3
make_venv && python=$cache/venv/bin/python3
KUSTOMIZE=
find_kustomize
# A network of their own, in which every port is free; and no more of cgroups than what crun takes.
alone=(unshare --net --mount)
if ((EUID != 0)); then
  problem="building an image needs root"
elif ! "${alone[@]}" mount -t cgroup2 none /sys/fs/cgroup; then
  problem="no container can be run here"
else
  problem=
  time { make_base || make_base; } || die "there is no base image"
  time build_image || die "the image cannot be built"
fi
[[ ! $problem ]] || alone=()
export ANNALS_IMAGE_PROBLEM=$problem
PYTHONPATH=".:$bin/proto" TEST_TMPDIR=$dir "${alone[@]}" "$python" tests/deploy/runner.py "$@"
