#!/bin/bash
# Makes an archive of Debian 12 as the image debian:12-slim has it: where there is no registry to
# get that from.
#
# Usage: tests/deploy/base.sh ARCHIVE
set -euo pipefail
archive=$1
mirror=http://deb.debian.org/debian
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
debootstrap --variant=minbase bookworm "$dir" "$mirror" >"$dir.log" 2>&1 || {
  tail -n 20 "$dir.log" >&2
  rm -f "$dir.log"
  exit 1
}
rm -f "$dir.log"
cat >"$dir/etc/apt/sources.list" <<END
deb $mirror bookworm main
deb $mirror bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
END
# The slim variant has no documentation, but licences, and no translations.
find "$dir/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$dir"/usr/share/{man,info,locale,groff,lintian,linda} "$dir"/var/lib/apt/lists/* \
  "$dir"/var/cache/apt/* "$dir"/var/log/* "$dir"/var/cache/ldconfig/* "$dir"/etc/*-
tar --create --sort=name --numeric-owner --directory "$dir" --file "$archive.new" .
mv "$archive.new" "$archive"
