# The agent: the metadata service of each cloud.

# The one table of how each cloud tells, one row a cloud: `read_notice_CLOUD` sets $heard to `KIND DEADLINE`. It returns 4
# when there is no notice, 1 when nobody knows. `terminate_CLOUD`: the machine ends itself.
read_notice() { "read_notice_$SPOT_SET_NOTICES"; }
terminate() { "terminate_$SPOT_SET_NOTICES"; }

# [only local]
# Where the endpoint is and the token for it. Read every time: the port may change.
load_metadata() {
  metadata_url='' metadata_token=''
  [ -r "$ROOT/metadata.env" ] || return 1
  while IFS= read -r metadata_line; do
    case $metadata_line in
      SPOT_METADATA_URL=*) metadata_url=${metadata_line#*=} ;;
      SPOT_METADATA_TOKEN=*) metadata_token=${metadata_line#*=} ;;
    esac
  done <"$ROOT/metadata.env"
  [ -n "$metadata_url" ]
}

# What it says is kept for `status` and `listen`, as `_listen` does: what the controller tells as well stays the cloud's own word.
local_said=''
read_notice_local() {
  load_metadata || return 1
  heard=$(http GET "$metadata_url/metadata/v1/notice" "X-Spot-Token: $metadata_token")
  local_code=$?
  case $local_code in
    0)
      heard=$(printf '%s\n' "$heard" | sed -n 's/.*"kind":"\([a-z-]*\)".*"deadline":\([0-9]*\).*/\1 \2/p')
      [ -n "$heard" ] || return 1
      ;;
    4) heard= ;;
    *) return "$local_code" ;;
  esac
  if [ "$heard" != "$local_said" ]; then
    local_said=$heard
    put heard "${heard:-none}"
  fi
  return "$local_code"
}

terminate_local() { load_metadata && http POST "$metadata_url/metadata/v1/terminate" "X-Spot-Token: $metadata_token" >/dev/null; }
# [end]

# [only aws gcp alibaba]
# metadata_at URL: sets $metadata_url to it; a machine with a root of its own finds there what stands for it.
metadata_at() {
  metadata_url=$1
  if [ -n "$ROOT" ]; then metadata_url=$(sed -n 's/^SPOT_METADATA_URL=//p' "$ROOT/metadata.env" 2>/dev/null); fi
  [ -n "$metadata_url" ]
}
# [end]

# [only aws]
# `meta-data/instance-action`, without `spot/`, is something else. A notice says what will be done, and when; a
# recommendation only that the risk is higher now.
read_notice_aws() {
  token_header=X-aws-ec2-metadata-token
  metadata_at http://169.254.169.254 || return
  ask_with_token spot/instance-action
  heard_code=$?
  if [ "$heard_code" -eq 0 ]; then hear_time reclaim; return; fi
  [ "$heard_code" -eq 4 ] || return 1
  ask_with_token events/recommendations/rebalance && hear_time rebalance
}
# [end]

# [only alibaba]
read_notice_alibaba() {
  token_header=X-aliyun-ecs-metadata-token
  metadata_at http://100.100.100.200 && ask_with_token instance/spot/termination-time && hear_time reclaim
}
# [end]

# [only aws alibaba]
# hear_time KIND: sets $heard with the time in $answer (UTC, as in RFC 3339). What has no time is no notice of theirs.
hear_time() {
  heard=$(printf '%s\n' "$answer" |
    sed -n 's/.*\([0-9]\{4\}\)-\([0-9][0-9]\)-\([0-9][0-9]\)T\([0-9][0-9]\):\([0-9][0-9]\):\([0-9][0-9]\)[.0-9]*Z.*/\1 \2 \3 \4 \5 \6/p' |
    awk -v kind="$1" 'NR == 1 {
      m = ($2 + 9) % 12; y = $1 - (m > 9)
      days = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m + 2) / 5) + $3 - 719469
      printf "%s %.0f\n", kind, ((days * 24 + $4) * 60 + $5) * 60 + $6 }')
  [ -n "$heard" ]
}

# ask_with_token PATH: sets $answer. The token is kept; when it is no longer good, another one is taken, once.
# Where none can be had it is tried without.
ask_with_token() {
  [ -n "$ask_header" ] || take_token
  answer=$(http GET "$metadata_url/latest/meta-data/$1" "$ask_header")
  ask_code=$?
  if [ "$ask_code" -eq 3 ]; then
    take_token || return 1
    answer=$(http GET "$metadata_url/latest/meta-data/$1" "$ask_header")
    ask_code=$?
  fi
  return "$ask_code"
}

# take_token: sets $ask_header.
ask_header='' take_said=''
take_token() {
  ask_header='Accept: */*'
  ask_token=$(http PUT "$metadata_url/latest/api/token" "$token_header-ttl-seconds: 21600")
  take_code=$?
  if [ "$take_code" -eq 5 ] && [ -z "$take_said" ]; then
    take_said=yes
    say 'no program here can PUT (curl, GNU wget, python3 can): asking for notices without a session token'
  fi
  [ "$take_code" -eq 0 ] || return 1
  case $ask_token in '' | *[!A-Za-z0-9_=+/.-]*) return 1 ;; esac
  ask_header="$token_header: $ask_token"
}
# [end]

# [only gcp]
# Reads of `preempted` wait for its change. No deadline is told with it: what the setting says, or a little less than the 30
# seconds there are at best. Maintenance of the host is told an hour ahead where there are GPUs.
preempted_tag='' preempted_until='' maintenance_until=''
read_notice_gcp() {
  metadata_at http://metadata.google.internal || return
  gcp_url=$metadata_url/computeMetadata/v1/instance
  gcp_wait=
  if [ -n "$preempted_tag" ]; then gcp_wait="?wait_for_change=true&timeout_sec=$WAIT_SECONDS&last_etag=$preempted_tag"; fi
  preempted_tag='' pause=2
  ticks
  gcp_began=$ticks
  answer=$(http GET "$gcp_url/preempted$gcp_wait" 'Metadata-Flavor: Google' $((WAIT_SECONDS + 5))) || return 1
  ticks
  # A service that does not wait is not asked without a pause.
  pause=1
  if [ $((ticks - gcp_began)) -gt 100 ]; then pause=0.05; fi
  preempted_tag=$(sed -n 's/^ *[Ee][Tt]ag: *\([A-Za-z0-9_-]*\).*/\1/p' "$http_head" | tail -n 1)
  case $answer in
    TRUE)
      now
      preempted_until=${preempted_until:-$((now + ${SPOT_SET_NOTICE_SECONDS:-25}))}
      heard="reclaim $preempted_until"
      return
      ;;
    FALSE) preempted_until= ;;
    *) return 1 ;;
  esac
  read_maintenance_gcp
}

# Once a minute.
maintenance_ticks=
read_maintenance_gcp() {
  if [ -z "$maintenance_ticks" ] || [ $((ticks - maintenance_ticks)) -ge $((WAIT_SECONDS * 100)) ]; then
    answer=$(http GET "$gcp_url/maintenance-event" 'Metadata-Flavor: Google') && maintenance_ticks=$ticks
    case $answer in
      TERMINATE*)
        now
        maintenance_until=${maintenance_until:-$((now + 3600))}
        ;;
      NONE) maintenance_until= ;;
    esac
  fi
  [ -n "$maintenance_until" ] || return 4
  heard="maintenance $maintenance_until"
}
# [end]

# [only aws gcp]
# Who shuts down here has ended its billing. A machine of a test has a root folder, and must not end the one it runs on.
terminate_aws() {
  if [ -n "$ROOT" ]; then
    "$ROOT/sbin/poweroff"
  elif [ -d /run/systemd/system ]; then
    systemctl --no-block poweroff
  else
    shutdown -h now || poweroff
  fi
}

terminate_gcp() { terminate_aws; }
# [end]

# [only aws gcp alibaba]
# _listen PID: asks at the service's own pace for as long as the agent PID lives, and puts what it hears into `heard`.
verb__listen() {
  load_settings || return
  listen_misses=0
  while kill -0 "$1" 2>/dev/null; do
    heard='' pause=$ASK_EVERY
    read_notice
    case $? in
      0 | 4)
        put heard "${heard:-none}"
        if [ "$listen_misses" -ge 3 ]; then say 'the metadata service answers again'; fi
        listen_misses=0
        ;;
      *)
        listen_misses=$((listen_misses + 1))
        if [ "$listen_misses" -eq 3 ]; then say 'the metadata service does not answer'; fi
        ;;
    esac
    nap "$pause"
  done
}

# The listener goes on whatever becomes of it.
keep_listening() {
  if { [ -n "$listener" ] && kill -0 "$listener" 2>/dev/null; } || [ "$now" -lt "$listen_again" ]; then return 0; fi
  listen_again=$((now + ASK_EVERY))
  lead sh "$AGENT" _listen "$$" </dev/null >/dev/null &
  listener=$!
}
# [end]

end_listener() { if [ -n "$listener" ]; then signal_tree TERM "$listener"; fi; }
