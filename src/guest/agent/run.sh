# The agent: what it does from boot to end.

# command_of FOLDER: sets $command_line to that of a process below /proc, without the zeros between its words.
command_of() {
  command_line=
  { IFS= read -r command_line <"$1/cmdline"; } 2>/dev/null
}

# runs_agent PID: a shell reads no NULs, so the words stick together. Any fork of this one would look like an agent itself,
# and in a container that was started again the old number may well be given to it.
runs_agent() {
  command_of "/proc/$1"
  case $command_line in *"$LIB/agent.shrun") ;; *) return 1 ;; esac
}

verb_run() {
  # Another one may run already: the boot script was run twice.
  get agent-pid
  if is_number "$value" && [ "$value" != "$$" ] && runs_agent "$value"; then
    say "the agent runs already (process $value)"
    return 0
  fi
  # What still seals would go on without its lock.
  if seal_owner=$(readlink "$RUN/seal.lock"); then
    command_of "/proc/$seal_owner"
    case $command_line in *"$LIB"/*) kill -s KILL "$seal_owner" ;; esac
  fi
  rm -rf "$RUN"
  mkdir -p "$CKPT" "$RUN" "$ROOT/tmp" || return 1
  put phase preparing
  true >"$RUN/phases" || return 1
  exec 8<"$RUN/phases"
  now
  mark @boot
  put agent-pid "$$"
  load_settings || return 1
  if [ "$SPOT_SET_MACHINE" != process ]; then
    (umask 077 && true >>"$LIB/console.log")
    exec >>"$LIB/console.log" 2>&1
  fi
  choose_every
  begun='' over='' asked='' notice='' listener='' listen_again=0
  trap 'asked_to_end' TERM INT
  trap '' HUP
  begin || return
  supervise
  run_code=$?
  end_listener
  return "$run_code"
}

# begin: as soon as its volume is there, and the checkpoint that is copied to it, puts the newest one back and starts the workload.
begin() {
  now
  # A machine that comes back after its time does not begin again.
  if [ "$SPOT_SET_MACHINE" != process ] && time_is_up; then return 0; fi
  [ "$SPOT_SET_VOLUME_COMES" = device ] && lacks_volume && return 0
  [ -n "$SPOT_SET_AWAITS" ] && volume_there && lacks_checkpoint && return 0
  rm -f "$RUN/awaits"
  lock volume "$now" || return 0
  if [ ! -f "$RUN/released" ]; then
    begin_work || return 1
    mark "@${held_for-mount}"
    put_back || return
    now
    mark @restore
    rm -rf "$WORK"
    trap 'asked_to_end' TERM INT
    trap '' HUP
    # Somebody may have taken the volume meanwhile.
    if [ ! -f "$RUN/released" ]; then
      start_workload
      begun=yes
    fi
  fi
  unlock volume
  # The workload is looked after in any case.
  return 0
}

put_back() {
  discard "$LIB/.freeze"
  if [ -n "$VOLUME" ] && [ "$SPOT_SET_MACHINE" != process ] && ! volume_there; then
    give_up "the volume is not mounted at $SPOT_SET_VOLUME_MOUNT: the workload is not started"
    return 7
  fi
  clear_leftovers
  if [ -z "$(ls -A "$CKPT")" ]; then
    put phase restoring
    restore_newest || return 7
    [ -n "$restored" ] && put restored-from "$restored"
  fi
  return 0
}

# give_up WHY: `status` tells it when the agent has left.
give_up() {
  say "$1"
  put why "$1"
}

# mark PHASE: it is done now, for whoever asks how long it took to come up.
mark() { printf '|%s %s' "$now" "$1" >>"$RUN/marks"; }

# take_phases: what the workload has appended to its file since the last look, `WORD [TIME]` a line.
take_phases() {
  while IFS= read -r phase_line; do
    phase_line=$phase_rest$phase_line phase_rest=
    case $phase_line in
      *[!A-Za-z0-9_.\ -]*) ;;
      *) [ "$phases" -lt 32 ] && [ "${#phase_line}" -lt 64 ] && phases=$((phases + 1)) && mark "$phase_line" ;;
    esac
  done <&8
  phase_rest=$phase_rest$phase_line
}

start_workload() {
  now
  put started-at "$now"
  (
    (lead sh "$AGENT" _workload) </dev/null
    put exit-code "$?"
  ) &
  workload_shell=$!
  put phase running
}

supervise() {
  endpoint='' notice='' answered='' responder='' sealer='' ended_at='' phases=0 phase_rest=
  now
  last_seal=$now
  while :; do
    beat
    take_phases
    hear
    answer_notice
    if [ -n "$begun" ] && [ -z "$ended_at" ]; then look_after_workload; fi
    if [ -n "$asked" ]; then finish 'it was asked to end'; fi
    if [ -z "$over" ] && [ ! -f "$RUN/released" ]; then
      if time_is_up; then
        finish 'its time is up'
      elif is_number "$SPOT_SET_IDLE" && is_idle; then
        finish 'it has been idle'
      elif [ -z "$begun" ]; then
        begin || return
      elif [ -z "$ended_at" ] && ! presses && get every && is_number "$value" && [ -n "$VOLUME" ] && [ $((now - last_seal)) -ge "$value" ]; then
        seal_aside interval
      fi
    fi
    nap "$POLL"
  done
}

time_is_up() {
  get ttl-ends-at
  ttl=${value:-$SPOT_SET_TTL_ENDS_AT}
  is_number "$ttl" && [ "$now" -ge "$ttl" ]
}


# seal_aside REASON: in a process of its own, one at a time.
seal_aside() {
  if [ "$1" = interval ] && is_sealing; then return 0; fi
  last_seal=$now
  (
    wait_for_sealer
    sh "$AGENT" snapshot "$1" >/dev/null
  ) &
  sealer=$!
}

look_after_workload() {
  if [ ! -f "$RUN/exit-code" ]; then
    kill -0 "$workload_shell" 2>/dev/null && return 0
    put exit-code 137
  fi
  get exit-code
  ended_at=$now
  put ended-at "$now"
  say "the workload ended with exit code $value"
  [ -f "$RUN/released" ] || put phase exited
  # Whoever asked for the end seals by himself; under a notice the answer to it does.
  if [ ! -f "$RUN/stop-asked" ] && ! presses && [ -n "$VOLUME" ]; then
    seal_aside exit
  fi
}

is_sealing() { [ -n "$sealer" ] && kill -0 "$sealer" 2>/dev/null; }

wait_for_sealer() { while is_sealing; do nap "$POLL"; done; }

beat() {
  now
  printf '%s\n' "$now" >"$RUN/heartbeat"
}

asked_to_end() { asked=yes; }

# finish WHY: hook, last checkpoint, and the machine ends itself. Where it cannot, the agent stays, for whoever ends it. Who
# stops the agent of a rented machine does not ask for the machine's end: a boot script may start it anew with other settings.
finish() {
  if [ -n "$over" ]; then leave; fi
  say "$1: sealing a last checkpoint"
  ends=$SPOT_SET_ENDS_ITSELF
  if [ "$SPOT_SET_MACHINE" != process ] && [ -n "$asked" ]; then ends=no; fi
  [ "$ends" = yes ] && trap '' TERM INT
  put phase stopping
  # A volume that hangs must not keep the machine: five minutes, and what 20 MB/s take.
  finish_until=$((now + 300 + $(du -sk "$CKPT" | awk 'END { print int($1 / 20000) }')))
  (
    wait_for_sealer
    if [ -n "$VOLUME" ] && [ ! -f "$RUN/released" ]; then seal_at_the_end || say 'the last checkpoint was not sealed'; fi
  ) &
  sealer=$!
  while is_sealing && [ "$now" -lt "$finish_until" ]; do
    nap "$POLL"
    beat
  done
  end_workload 5
  if [ "$ends" = yes ]; then
    say 'ending this machine'
    if terminate; then
      # The embedded cloud ends this process with the machine; systemd would wait for it.
      if [ "$SPOT_SET_MACHINE" = process ]; then nap 10; fi
      leave
    fi
    [ "$SPOT_SET_MACHINE" != process ] || leave
  fi
  [ -z "$asked" ] || leave
  trap 'asked_to_end' TERM INT
  over=yes
  ended_at=$now
  put phase expired
  say 'this machine does not end itself; waiting for its end'
}

# A cloud that takes a machine back, as one that shuts it down (Compute Engine), gives it no minute more. The hook that
# has just answered the notice is not run twice.
seal_at_the_end() {
  now
  end_until=$((now + 60)) end_how=soft
  if [ -n "$asked" ] && [ "$SPOT_SET_NOTICES" = gcp ]; then end_until=$((now + 25)) end_how=; fi
  if presses; then
    end_how=
    if [ "${notice#* }" -lt "$end_until" ]; then end_until=${notice#* }; fi
    if [ "$end_until" -lt $((now + 25)) ]; then end_until=$((now + 25)); fi
    plan "$end_until"
    if lock hook $((end_until - reserve)); then unlock hook; fi
    get hook-done
    if [ "$value" = "notice ${notice#* }" ] && [ "$(find "$RUN/hook-done" -mmin -2)" ]; then
      sh "$AGENT" snapshot notice "${notice#* }" >/dev/null
      return
    fi
  fi
  sh "$AGENT" snapshot down "$end_until" $end_how >/dev/null
}

leave() {
  end_listener
  exit 0
}
