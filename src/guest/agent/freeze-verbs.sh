# The agent: the volume's file system is held still while its cloud takes a snapshot of the disk.

# [only carried]
# keeps PID: whether it is a verb that freezes, or one of the two that it leaves behind. Of a dead one that nobody has waited for there
# is a number yet, and no words.
keeps() {
  command_of "/proc/$1"
  case $command_line in *freeze*) ;; *) return 1 ;; esac
}

# must_thaw: whether the file system is to be let go at once, and sets $thawed to why: the volume is released, a notice, a seal, or
# whoever asked for it is done; or nobody else would let go any more. The lock of the verb that froze it is none.
must_thaw() {
  thawed=
  if [ -f "$RUN/released" ]; then
    thawed=released
  elif [ -f "$RUN/thaw" ]; then
    thawed=asked
  elif [ -f "$RUN/notice.json" ]; then
    thawed=notice
  elif [ ! -f "$RUN/frozen" ] || ! keeps "$thaw_other"; then
    thawed=alone
  else
    thaw_owner=$(readlink "$RUN/seal.lock") && [ "$thaw_owner" != "$$" ] && thawed=seal
  fi
  [ -n "$thawed" ]
}

# keep_frozen SECONDS: freezes, and lets go again as soon as there is a reason to, or when the time is over. It writes to $RUN
# alone, which is not on the volume. Another process looks after it, and each lets go when the other is killed. $RUN/frozen is there
# from before until after, so that nobody else begins.
keep_frozen() {
  # What $$ says is the verb's.
  # shellcheck disable=SC2016 # the inner shell's
  thaw_keeper=$(exec sh -c 'echo "$PPID"')
  ticks
  thaw_at=$((ticks + $1 * 100))
  look_after_keeper &
  thaw_other=$!
  put frozen-by "$thaw_keeper $thaw_other"
  if ! fsfreeze -f "$VOLUME"; then
    kill -s KILL "$thaw_other"
    put frozen no
    return
  fi
  put frozen yes
  until must_thaw; do
    ticks
    if [ "$ticks" -ge "$thaw_at" ]; then thawed=late && break; fi
    nap 0.1
  done
  # Somebody else may have let go of it before.
  fsfreeze -u "$VOLUME" || thawed=late
  put thawed "$thawed"
  kill -s KILL "$thaw_other"
  rm -f "$RUN/frozen"
}

# look_after_keeper: lets go where $thaw_keeper was killed or is a second late. What that had only begun to freeze may be frozen a
# moment later.
look_after_keeper() {
  while [ -f "$RUN/frozen" ] && keeps "$thaw_keeper" && ticks && [ "$ticks" -lt $((thaw_at + 100)) ]; do nap 0.1; done
  until fsfreeze -u "$VOLUME"; do
    get frozen
    ticks
    if [ "$value" != begun ] || [ "$ticks" -ge $((thaw_at + 1000)) ]; then break; fi
    nap 0.1
  done
  put thawed late
  rm -f "$RUN/frozen"
}

# held_still: whether a process that lives holds the file system still, or is about to.
held_still() {
  [ -f "$RUN/frozen" ] || return 1
  get frozen-by
  for still_pid in $value; do
    if keeps "$still_pid"; then return 0; fi
  done
  return 1
}

# thaw_now [WHY]: gives whoever holds it still ten seconds, and lets go of what is frozen then: all who knew of it may have been killed.
thaw_now() {
  ticks
  thaw_until=$((ticks + 1000))
  while held_still && [ "$ticks" -lt "$thaw_until" ]; do
    nap 0.1
    ticks
  done
  if fsfreeze -u "$VOLUME" 2>/dev/null; then put thawed "${1:-late}"; fi
  held_still || rm -f "$RUN/frozen"
}

# await_frozen SECONDS: sets $value to whether it is frozen now: yes, no, or something else when it takes longer.
await_frozen() {
  ticks
  await_until=$((ticks + $1 * 100))
  while get frozen && [ "$value" = begun ] && [ "$ticks" -lt "$await_until" ]; do
    nap 0.1
    ticks
  done
}

# What was written is on the disk in any case. It is frozen besides where the volume is a disk of this machine's own, and neither
# a seal nor a notice needs it: a file system that somebody else uses too is not ours to hold.
verb_freeze() {
  require_volume
  if ! is_number "${1-}" || [ "$1" -lt 1 ] || [ "$1" -gt 60 ]; then fail "not a time to hold a file system still: ${1-} (1 to 60 seconds)"; fi
  [ ! -f "$RUN/released" ] || fail 'the volume was released'
  # Nothing can be written to the disk meanwhile.
  ! held_still || fail 'the file system is held still for another snapshot'
  if [ -f "$RUN/frozen" ]; then thaw_now; fi
  sync_one "$VOLUME/" all || fail 'the volume did not take what was written to it'
  frozen=false
  if [ "$SPOT_SET_VOLUME_COMES" = device ] && command -v fsfreeze >/dev/null && [ ! -f "$RUN/notice.json" ]; then
    now
    if lock seal $((now + 3)); then
      rm -f "$RUN/thaw" "$RUN/thawed"
      put frozen-by "$$"
      put frozen begun
      (
        trap '' HUP
        trap 'put thaw yes' INT TERM
        keep_frozen "$1"
      ) </dev/null >/dev/null 2>&1 &
      await_frozen 3
      if [ "$value" = yes ]; then frozen=true; else put thaw yes; fi
      if [ "$value" = no ]; then rm -f "$RUN/frozen"; fi
      unlock seal
    fi
  fi
  printf '{"frozen":%s,"synced":true}\n' "$frozen"
}

# `held`: it was frozen all the time until now.
verb_thaw() {
  require_running
  put thaw yes || fail "no space to work in: $RUN"
  thaw_now asked
  [ ! -f "$RUN/frozen" ] || fail 'the file system could not be let go; it lets go of itself'
  get thawed
  if [ "$value" = asked ]; then held=true; else held=false; fi
  rm -f "$RUN/thawed"
  printf '{"thawed":true,"held":%s}\n' "$held"
}
# [end]
