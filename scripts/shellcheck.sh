#!/bin/sh
# Checks every shell script that we ship. Needs shellcheck (apt install shellcheck, brew install shellcheck).
set -eu
cd "$(dirname "$0")/.."
command -v shellcheck >/dev/null || { echo 'shellcheck is not installed' >&2; exit 1; }
shellcheck -s sh src/guest/agent.sh scripts/*.sh examples/*/*.sh test/clouds/shims/*
for shell in dash 'busybox sh' 'bash --posix'; do
  # shellcheck disable=SC2086 # words of a command
  if command -v ${shell%% *} >/dev/null; then $shell -n src/guest/agent.sh; else echo "not installed, not tried: $shell" >&2; fi
done
