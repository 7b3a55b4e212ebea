# The agent: the volume's file system is held still while its cloud takes a snapshot of the disk.

# [only carried]
# must_thaw: whether the file system is to be let go at once, and sets $thawed to why: a notice, a seal, or whoever asked for it
# is done. The lock of the verb that froze it is none.
must_thaw() {
  thawed=
  if [ -f "$RUN/thaw" ]; then
    thawed=asked
  elif [ -f "$RUN/notice.json" ]; then
    thawed=notice
  else
    thaw_owner=$(readlink "$RUN/seal.lock") && [ "$thaw_owner" != "$$" ] && thawed=seal
  fi
  [ -n "$thawed" ]
}

# keep_frozen SECONDS: freezes, and lets go again as soon as there is a reason to, or when the time is over. It writes to $RUN
# alone, which is not on the volume; and should it be killed, another process lets go a second later.
keep_frozen() {
  (
    nap "$(($1 + 1))"
    fsfreeze -u "$VOLUME"
    put thawed late
    rm -f "$RUN/frozen"
  ) &
  thaw_other=$!
  now
  thaw_until=$((now + $1))
  if ! fsfreeze -f "$VOLUME"; then
    kill -s KILL "$thaw_other"
    put frozen no
    return
  fi
  put frozen yes
  until must_thaw; do
    now
    if [ "$now" -ge "$thaw_until" ]; then thawed=late && break; fi
    nap 0.1
  done
  kill -s KILL "$thaw_other"
  fsfreeze -u "$VOLUME"
  put thawed "$thawed"
  rm -f "$RUN/frozen"
}

# await_frozen SECONDS: sets $value to whether it is frozen now: yes, no, or nothing when it takes longer.
await_frozen() {
  now
  await_until=$((now + $1))
  while get frozen && [ -z "$value" ] && [ "$now" -lt "$await_until" ]; do
    nap 0.1
    now
  done
}

# What was written is on the disk in any case. It is frozen besides where the volume is a disk of this machine's own, and neither
# a seal nor a notice needs it: a file system that somebody else uses too is not ours to hold.
verb_freeze() {
  require_volume
  if ! is_number "${1-}" || [ "$1" -lt 1 ] || [ "$1" -gt 60 ]; then fail "not a time to hold a file system still: ${1-} (1 to 60 seconds)"; fi
  [ ! -f "$RUN/released" ] || fail 'the volume was released'
  # Nothing can be written to the disk meanwhile.
  [ ! -f "$RUN/frozen" ] || fail 'the file system is held still for another snapshot'
  sync_one "$VOLUME/" all || fail 'the volume did not take what was written to it'
  frozen=false
  if [ "$SPOT_SET_VOLUME_COMES" = device ] && command -v fsfreeze >/dev/null && [ ! -f "$RUN/notice.json" ]; then
    now
    if lock seal $((now + 3)); then
      rm -f "$RUN/thaw" "$RUN/thawed"
      (
        trap '' HUP
        trap ': >"$RUN/thaw"' INT TERM
        keep_frozen "$1"
      ) </dev/null >/dev/null 2>&1 &
      await_frozen 3
      if [ "$value" = yes ]; then frozen=true; else : >"$RUN/thaw"; fi
      if [ "$value" = no ]; then rm -f "$RUN/frozen"; fi
      unlock seal
    fi
  fi
  printf '{"frozen":%s,"synced":true}\n' "$frozen"
}

# `held`: it was frozen all the time until now.
verb_thaw() {
  require_running
  : >"$RUN/thaw"
  now
  thaw_until=$((now + 10))
  while [ -f "$RUN/frozen" ] && [ "$now" -lt "$thaw_until" ]; do
    nap 0.1
    now
  done
  [ ! -f "$RUN/frozen" ] || fail 'the file system could not be let go; it lets go of itself'
  get thawed
  if [ "$value" = asked ]; then held=true; else held=false; fi
  rm -f "$RUN/thawed"
  printf '{"thawed":true,"held":%s}\n' "$held"
}
# [end]
