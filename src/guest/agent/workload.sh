# The agent: processes: the workload, the hook.

# lead COMMAND…: becomes the command, leader of a process group of its own where that can be had. The shell's own
# background jobs ignore SIGINT; the workload shall not.
lead() {
  restore_locale
  if [ -d /proc/self ]; then
    if perl -e 1 2>/dev/null; then
      # shellcheck disable=SC2016 # perl's own variables
      exec perl -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; setpgrp(0, 0); exec {$ARGV[0]} @ARGV or exit 127' "$@"
    fi
    command -v setsid >/dev/null 2>&1 && exec setsid "$@"
  fi
  exec "$@"
}

# signal_tree SIGNAL PID: the whole group, or where there is none the process and its descendants.
signal_tree() {
  kill "-$1" "-$2" 2>/dev/null && return 0
  signal_pids=$(ps -A -o pid= -o ppid= 2>/dev/null | awk -v top="$2" '
    { parent[$1] = $2 }
    END { for (p in parent) { q = p; for (n = 0; q != top && (q in parent) && n < 64; n++) q = parent[q]; if (q == top) print p } }')
  # shellcheck disable=SC2086 # a list of pids
  kill -s "$1" ${signal_pids:-$2} 2>/dev/null
}

# cache_environment: what frameworks keep from one run to the next lies on the volume, where nothing else was said. A volume that
# takes nothing more must not be in the way of the workload's start.
cache_environment() {
  [ -n "$SPOT_SET_CACHES" ] || return 0
  caches=$VOLUME/spot/cache
  if (umask 077 && mkdir -p "$caches" && printf %65536s '' >"$caches/.room") 2>/dev/null; then
    # A token is no cache: it stays where it would be.
    [ -n "${HF_TOKEN_PATH+x}${HF_HOME+x}" ] || export HF_TOKEN_PATH="${XDG_CACHE_HOME-${HOME-}/.cache}/huggingface/token"
    for cache in $SPOT_SET_CACHES; do
      eval ": \"\${$cache=\$caches/$cache}\""
      # shellcheck disable=SC2163 # the variable of that name
      export "$cache"
    done
  else
    say 'no caches on the volume: it is full'
  fi
  rm -f "$caches/.room"
}

# What workload and hook find in their environment.
workload_environment() {
  if [ "$SPOT_SET_MACHINE" != process ]; then HOME=${HOME:-$ROOT/root} && export HOME; fi
  spot_environment
  get restored-from
  SPOT_INSTANCE=$SPOT_SET_INSTANCE SPOT_CHECKPOINT_DIR=$CKPT SPOT_VOLUME_DIR=$VOLUME SPOT_RESTORED_FROM=$value
  SPOT_NOTICE_FILE=$RUN/notice.json SPOT_PHASES_FILE=$RUN/phases
  export SPOT_INSTANCE SPOT_CHECKPOINT_DIR SPOT_VOLUME_DIR SPOT_RESTORED_FROM SPOT_NOTICE_FILE SPOT_PHASES_FILE
  cache_environment
  if [ -n "$SPOT_SET_WORKDIR" ]; then
    cd "$SPOT_SET_WORKDIR" || exit 126
  elif [ "$SPOT_SET_MACHINE" = vm ]; then
    # A container's image has a folder of its own for this.
    cd "$ROOT/root" 2>/dev/null || cd "$ROOT/" || exit 126
  fi
}

verb__workload() {
  put workload-pid "$$"
  load_settings || exit 126
  restore_locale
  workload_environment
  # For `exec`, which comes from elsewhere.
  (umask 077 && export -p >"$RUN/environment")
  spot_command
}

verb__hook() {
  put hook-pid "$$"
  load_settings || exit 126
  restore_locale
  workload_environment
  SPOT_REASON=$1 SPOT_DEADLINE=$2
  export SPOT_REASON SPOT_DEADLINE
  exec sh -c "$SPOT_SET_HOOK"
}

# This process was started with the workload's locale; give it back before it becomes the workload.
restore_locale() { if [ "$USER_LC_ALL" = unset ]; then unset LC_ALL; else LC_ALL=$USER_LC_ALL; fi; }

# run_hook REASON DEADLINE SECONDS: the workload's own way to write a checkpoint, ended when it takes longer.
run_hook() {
  [ -n "$SPOT_SET_HOOK" ] || return 0
  [ -f "$RUN/workload-pid" ] && [ ! -f "$RUN/exit-code" ] || return 0
  get hook-done
  [ "$1" = notice ] && [ "$value" = "notice $2" ] && return 0
  now
  hook_until=$((now + $3))
  lock hook "$hook_until" || { say 'another checkpoint hook has not ended'; return 1; }
  put hook-done "$1 $2"
  rm -f "$RUN/hook-pid" "$WORK/hook.code"
  (
    (lead sh "$AGENT" _hook "$1" "$2") >"$RUN/hook.log" 2>&1 </dev/null
    echo "$?" >"$WORK/hook.code"
  ) &
  hook_shell=$!
  while [ ! -s "$WORK/hook.code" ] && kill -0 "$hook_shell" 2>/dev/null; do
    now
    if [ "$now" -ge "$hook_until" ]; then
      say "the checkpoint hook took longer than its $3 s; ending it"
      get hook-pid
      if is_number "$value"; then
        signal_tree TERM "$value"
        nap 0.3
        signal_tree KILL "$value"
      fi
      break
    fi
    nap 0.1
  done
  # One that hangs in the kernel outlives its end.
  hook_waits=0
  while kill -0 "$hook_shell" 2>/dev/null && [ "$hook_waits" -lt 20 ]; do
    hook_waits=$((hook_waits + 1))
    nap 0.1
  done
  hook_took=$((now - hook_until + $3))
  hook_code=
  [ -s "$WORK/hook.code" ] && read -r hook_code <"$WORK/hook.code"
  tail -c 16384 "$RUN/hook.log" >&2
  [ "$hook_code" = 0 ] || say "the checkpoint hook ended with ${hook_code:-no exit code}"
  unlock hook
}
