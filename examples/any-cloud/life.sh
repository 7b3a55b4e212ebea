#!/bin/sh
# One life on any cloud: rent, work, checkpoint, look, park, come back, go on, end. Only the provider differs:
#
#   sh examples/any-cloud/life.sh local
#   sh examples/any-cloud/life.sh novita RTX4090:1
#
# Each command's JSON is kept in the folder `answers`, so that a script can read it. SPOT is the program, NAME the
# instance's name. The workload counts; its counter is its checkpoint.
set -eu

provider=${1:?usage: life.sh PROVIDER [GPU]}
gpu=${2-}
spot=${SPOT:-spot}
name=${NAME:-counter}
answers=${ANSWERS:-answers}
mkdir -p "$answers"

say() { printf '\n== %s\n' "$*" >&2; }

# ask FILE COMMAND…: the command's JSON, kept and checked for its own word that all went well.
ask() {
  file=$1
  shift
  # shellcheck disable=SC2086 # SPOT may be a program with arguments
  $spot "$@" --json >"$answers/$file.json"
}

# What runs on the machine: it goes on where the last checkpoint was, and replaces its one file by rename. It says when it has
# begun to count, and when it is warm, and that is when it is ready.
# shellcheck disable=SC2016 # the dollars are the machine's
count='
  n=$(cat "$SPOT_CHECKPOINT_DIR/count" 2>/dev/null || echo 0)
  first=$n
  echo "from $n"
  while :; do
    n=$((n + 1))
    echo "$n" >"$SPOT_CHECKPOINT_DIR/count.new"
    mv "$SPOT_CHECKPOINT_DIR/count.new" "$SPOT_CHECKPOINT_DIR/count"
    case $((n - first)) in 1) echo counting >>"$SPOT_PHASES_FILE" ;; 6) echo warm >>"$SPOT_PHASES_FILE" ;; esac
    echo "count $n"
    sleep 0.2
  done'

# shellcheck disable=SC2016
ready='grep -q warm "$SPOT_PHASES_FILE"'

counter() { # shellcheck disable=SC2086,SC2016
  $spot exec "$name" -- sh -c 'cat "$SPOT_CHECKPOINT_DIR/count"'
}

say "offers of $provider"
ask offers offers --provider "$provider" ${gpu:+--gpu "$gpu"}

say "up"
# shellcheck disable=SC2086
$spot up --yes --json --provider "$provider" ${gpu:+--gpu "$gpu"} --name "$name" --volume "$name-work:20" \
  --ready-cmd "$ready" -- sh -c "$count" >"$answers/up.json"

say "the same again changes nothing"
# shellcheck disable=SC2086
$spot up --yes --json --provider "$provider" ${gpu:+--gpu "$gpu"} --name "$name" --volume "$name-work:20" \
  --ready-cmd "$ready" -- sh -c "$count" >"$answers/again.json"

ask ls ls
ask show show "$name"
ask volumes volumes ls

say "inside"
# shellcheck disable=SC2016,SC2086
$spot exec "$name" -- sh -c 'test -d "$SPOT_VOLUME_DIR" && echo "$SPOT_INSTANCE works in $SPOT_CHECKPOINT_DIR"'
# shellcheck disable=SC2086
if $spot exec "$name" -- sh -c 'exit 7'; then exit 1; else [ $? -eq 7 ]; fi

say "files both ways"
echo "a file of $provider" >"$answers/file"
# shellcheck disable=SC2086
$spot cp "$answers/file" "$name:note.txt"
# shellcheck disable=SC2086
$spot cp "$name:note.txt" "$answers/file.back"
cmp "$answers/file" "$answers/file.back"

say "checkpoint"
ask snapshot snapshot "$name"
ask checkpoints checkpoints ls "$name"
ask verify checkpoints verify "$name"
rm -rf "$answers/restored"
ask restored checkpoints restore "$name" --to "$answers/restored"
[ "$(cat "$answers/restored/count")" -gt 0 ]

say "park and come back"
before=$(counter)
ask hibernate hibernate "$name"
ask asleep ls
ask sleeping show "$name"
ask restore restore "$name"
ask awake show "$name"
after=$(counter)
say "the counter stood at $before and goes on at $after"
[ "$after" -ge "$before" ]

# shellcheck disable=SC2086
$spot logs "$name" --tail 3

say "down"
ask down down "$name" --yes
ask gone ls
ask rm volumes rm "$name-work" --yes
ask left volumes ls
ask cost cost
say "done"
