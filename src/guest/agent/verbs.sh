# The agent: what every verb needs, and the plain ones.

# fail TEXT: as every verb reports it.
fail() {
  say "$1"
  fail_fit=
  if [ "${begins-}" = false ]; then fail_fit=",\"fit\":$fit"; fi
  printf '{"error":%s%s}\n' "$(json_string "$1")" "$fail_fit"
  exit 7
}

require_running() {
  get agent-pid
  is_number "$value" || fail 'the agent has not been started'
  load_settings || fail 'the agent has no settings'
}

# [only carried]
# require_volume: for verbs that read it.
require_volume() {
  require_running
  [ -n "$VOLUME" ] || fail 'this instance has no volume'
  volume_there || fail "the volume is not there: $SPOT_SET_VOLUME_MOUNT"
}

is_checkpoint_name() { case $1 in c-*[!0-9A-Za-z-]*) return 1 ;; c-?*) ;; *) return 1 ;; esac; }

# require_checkpoint ID: a whole one; as long as this process lives nobody prunes it.
require_checkpoint() {
  is_checkpoint_name "${1-}" || fail "not a checkpoint: ${1-}"
  require_volume
  { mkdir -p "$RUN/reading" && true >"$RUN/reading/$1.$$"; } || fail "no space to work in: $RUN"
  [ -d "$SEALED/$1" ] || fail "there is no checkpoint $1 on the volume"
  manifest_whole "$SEALED/$1/MANIFEST" || fail_damaged "checkpoint $1: its manifest is damaged" '"MANIFEST"'
}

# fail_damaged TEXT PATHS: what lies on the volume is not as it was sealed; no other failure says `damaged`.
fail_damaged() {
  volume_there || fail "the volume is not there: $SPOT_SET_VOLUME_MOUNT"
  say "$1"
  printf '{"error":%s,"damaged":[%s]}\n' "$(json_string "$1")" "$2"
  exit 7
}
# [end]

verb_snapshot() {
  case ${1-} in manual | interval | notice | hibernate | down | exit) ;; *) fail "not a reason for a checkpoint: ${1-}" ;; esac
  require_running
  begin_work || fail "no space to work in: $RUN"
  now
  snapshot_until=$((now + 3600)) fit_until=
  hook_share=$HOOK_SECONDS
  if is_number "${2-}"; then
    snapshot_until=$2
    [ "${3-}" = soft ] || fit_until=$2
    plan_hook "$2"
  fi
  if [ "$1" != exit ]; then run_hook "$1" "${2:-$((now + hook_share))}" "$hook_share"; fi
  lock seal "$snapshot_until" || fail 'another checkpoint is being sealed'
  begins=true
  seal "$1" || fail "$refusal"
  printf '%s\n' "$sealed"
}

verb_notice() {
  if [ "${1-}" = none ]; then
    require_running
    rm -f "$RUN/told"
    printf '{"withdrawn":true}\n'
    return
  fi
  is_number "${1-}" || fail 'a notice needs its deadline in epoch seconds'
  case ${2-reclaim} in reclaim | rebalance | maintenance) ;; *) fail "not a kind of notice: $2" ;; esac
  require_running
  put told "${2-reclaim} $1"
  printf '{"kind":"%s","deadline":%s}\n' "${2-reclaim}" "$1"
}

# json_number TEXT: it, or null.
json_number() { if is_number "$1"; then json=$1; else json=null; fi; }

# json_text TEXT: a string, or null when there is none. Only for texts that need no escapes.
json_text() { if [ -n "$1" ]; then json=\"$1\"; else json=null; fi; }

json_as_is() { json=${1:-null}; }

# field NAME FUNCTION KEY: appends to $fields.
field() {
  get "$3"
  "$2" "$value"
  fields="${fields:+$fields,}\"$1\":$json"
}

# field_notice: `own`: the cloud's metadata service says so itself; else the controller told it, and nobody knows more.
field_notice() {
  get notice
  json=null
  if [ -n "$value" ]; then
    said=$value own=true
    get told
    if [ "$value" = "$said" ]; then
      get heard
      if [ "$value" != "$said" ]; then own=false; fi
    fi
    json="{\"kind\":\"${said% *}\",\"deadline\":${said#* },\"own\":$own}"
  fi
  fields="$fields,\"notice\":$json"
}

verb_status() {
  require_running
  # After a hibernation or a crash the files of the last boot lie here until the agent begins anew.
  get agent-pid
  if ! kill -0 "$value" 2>/dev/null; then
    get why
    fail "the agent is not running${value:+: $value}"
  fi
  fields=
  field phase json_text phase
  field awaits json_text awaits
  field workloadPid json_number workload-pid
  field exitCode json_number exit-code
  field startedAt json_number started-at
  field endedAt json_number ended-at
  field restoredFrom json_text restored-from
  field passedOver json_text passed
  read_step "$CKPT"
  json_text "$step"
  fields="$fields,\"step\":$json"
  field lastCheckpoint json_text last-checkpoint
  field lastSealSeconds json_as_is last-seal
  field checkpointSeconds json_number cost
  field every json_number every
  field_notice
  field fit json_as_is fit
  field idle json_as_is idle
  field heartbeatAt json_number heartbeat
  field marks json_text marks
  json_number "$SPOT_SET_TTL_ENDS_AT"
  now
  printf '{%s,"ttlEndsAt":%s,"saidAt":%s}\n' "$fields" "$json" "$now"
}

# [only local aws gcp alibaba]
verb_listen() {
  require_running
  # What runs in a shell's background gets no standard input of its own accord.
  exec 3<&0
  (cat <&3; kill "$$") >/dev/null 2>&1 &
  listen_said='' listen_at=0
  while get agent-pid && kill -0 "$value" 2>/dev/null; do
    fields=
    field phase json_text phase
    read_step "$CKPT"
    json_text "$step"
    fields="$fields,\"step\":$json"
    field_notice
    ticks
    if [ "$fields" != "$listen_said" ] || [ $((ticks - listen_at)) -ge 1000 ]; then
      printf '{%s}\n' "$fields"
      listen_said=$fields listen_at=$ticks
    fi
    nap 1
  done
  fail 'the agent is not running'
}
# [end]

# end_workload SECONDS: SIGTERM, and SIGKILL to what is left after that time.
end_workload() {
  # It may have been started just now.
  end_tries=0
  while get workload-pid && [ -f "$RUN/started-at" ] && [ -z "$value" ] && [ "$end_tries" -lt 20 ]; do
    nap 0.1
    end_tries=$((end_tries + 1))
  done
  if ! is_number "$value" || [ -f "$RUN/exit-code" ]; then return 0; fi
  end_pid=$value
  now
  end_until=$((now + $1))
  signal_tree TERM "$end_pid"
  while [ ! -f "$RUN/exit-code" ] && [ "$now" -lt "$end_until" ]; do
    nap 0.1
    now
  done
  signal_tree KILL "$end_pid"
  end_tries=0
  while [ ! -f "$RUN/exit-code" ] && [ "$end_tries" -lt 50 ]; do
    nap 0.1
    end_tries=$((end_tries + 1))
  done
}

# [only carried]
verb_stop() {
  require_running
  if [ ! -f "$RUN/exit-code" ]; then put stop-asked yes; put phase stopping; fi
  stop_grace=10
  if is_number "${1-}"; then stop_grace=$1; fi
  end_workload "$stop_grace"
  get exit-code
  json_number "$value"
  printf '{"stopped":true,"exitCode":%s}\n' "$json"
}
# [end]
