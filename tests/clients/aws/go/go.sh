#!/bin/sh
# Runs go, with the SDK's last version for Go 1.19 where it is older than 1.24.
case $(go env GOVERSION) in
  go1.19* | go1.2[0-3]*) export GOFLAGS="$GOFLAGS -modfile=go1.19.mod" ;;
esac
exec go "$@"
