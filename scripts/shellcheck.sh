#!/bin/sh
# Checks every shell script that we ship. Needs shellcheck (apt install shellcheck, brew install shellcheck).
set -eu
cd "$(dirname "$0")/.."
command -v shellcheck >/dev/null || { echo 'shellcheck is not installed' >&2; exit 1; }
# The agent's parts know of each other, so they are checked as the one program that they become.
agent=$(mktemp)
trap 'rm -f "$agent"' EXIT
while read -r part; do
  cat "src/guest/agent/$part"
  echo
done <src/guest/agent/parts >"$agent"
shellcheck -s sh "$agent" scripts/*.sh examples/*/*.sh test/clouds/shims/*
for shell in dash 'busybox sh' 'bash --posix'; do
  # shellcheck disable=SC2086 # words of a command
  if command -v ${shell%% *} >/dev/null; then $shell -n "$agent"; else echo "not installed, not tried: $shell" >&2; fi
done
