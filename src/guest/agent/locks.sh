# The agent: locks, and the folder of each that works.

# lock NAME UNTIL: waits for it until then. A lock is a symbolic link whose target is its owner's pid, so that taking
# it and saying who took it are one step.
lock() {
  lock_waits=0
  while ! ln -s "$$" "$RUN/$1.lock" 2>/dev/null; do
    lock_owner=$(readlink "$RUN/$1.lock") || lock_owner=
    if [ -n "$lock_owner" ] && ! kill -0 "$lock_owner" 2>/dev/null; then
      # Its owner died. One at a time may clear it away, and only while it is still that owner's.
      if mkdir "$RUN/$1.break" 2>/dev/null; then
        [ "$(readlink "$RUN/$1.lock")" = "$lock_owner" ] && rm -f "$RUN/$1.lock"
        rmdir "$RUN/$1.break"
        continue
      fi
    fi
    now
    [ "$now" -ge "$2" ] && return 1
    lock_waits=$((lock_waits + 1))
    # Whoever was clearing may have died as well.
    [ $((lock_waits % 50)) -eq 0 ] && rmdir "$RUN/$1.break" 2>/dev/null
    nap 0.1
  done
}

holds() { [ "$(readlink "$RUN/$1.lock" 2>/dev/null)" = "$$" ]; }

unlock() { holds "$1" && rm -f "$RUN/$1.lock"; }

# Each process that seals, restores or runs a hook works in a folder of its own and cleans up however it ends.
begin_work() {
  WORK=$RUN/work.$$
  PARTIAL=
  rm -rf "$WORK"
  mkdir -p "$WORK" || return 1
  trap 'end_work' EXIT
  trap 'exit 143' TERM INT HUP
}

end_work() {
  trap - EXIT
  [ -n "$PARTIAL" ] && discard "$PARTIAL"
  # A hook that nobody waits for any more must not run beside the next one.
  if holds hook && get hook-pid && is_number "$value"; then signal_tree KILL "$value"; fi
  unlock seal
  unlock hook
  unlock volume
  rm -rf "$WORK"
}

# Removes a folder even where the workload made parts of it read-only.
discard() {
  [ -e "$1" ] || return 0
  rm -rf "$1" 2>/dev/null && return 0
  find "$1" -type d ! -perm -700 -exec chmod u+rwx {} + 2>/dev/null
  rm -rf "$1"
}
