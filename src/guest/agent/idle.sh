# The agent: whether anything goes on.

# [only idle]
# Below so many percent a GPU does nothing that somebody waits for: a desktop or a monitor of its own shows as one or two.
IDLE_PERCENT=5
# A GPU that was seen idle fewer times may have been seen between two bursts.
IDLE_SAMPLES=3

# is_idle: whether nothing has been going on for the idle time. Time is added up in small steps, so that neither a clock that is
# set nor a machine that slept makes it pass; `date` has no say.
idle_ticks=0 idle_samples=0 idle_before='' look_again='' gpu='' gpu_looker='' people=0
is_idle() {
  ticks
  idle_step=$((ticks - ${idle_before:-$ticks})) idle_before=$ticks
  case $idle_step in -* | ?????*) idle_step=0 look_again=$ticks ;; esac
  if [ "$ticks" -ge "${look_again:-0}" ]; then look_around; fi
  if something_goes_on; then
    idle_ticks=0 idle_samples=0
    return 1
  fi
  idle_ticks=$((idle_ticks + idle_step))
  [ "$idle_ticks" -ge "${SPOT_SET_IDLE}00" ] && { [ -z "$gpu" ] || [ "$idle_samples" -ge "$IDLE_SAMPLES" ]; }
}

# A workload that runs is something, unless it was ordered that the GPU alone tells; then it is something wherever no GPU tells. So is
# a checkpoint that is on its way here.
something_goes_on() {
  if [ -z "$begun" ] && [ -n "$SPOT_SET_AWAITS" ]; then return 0; fi
  if [ -z "$ended_at" ] && { [ -z "$gpu" ] || [ "$SPOT_SET_IDLE_BY" != gpu ]; }; then return 0; fi
  if [ "${gpu:-0}" -ge "$IDLE_PERCENT" ] || [ "$people" -gt 0 ]; then return 0; fi
  for idle_lock in seal hook volume; do
    if idle_owner=$(readlink "$RUN/$idle_lock.lock") && kill -0 "$idle_owner" 2>/dev/null; then return 0; fi
  done
  return 1
}

# look_around: at the GPUs and at who is here, some four times in the idle time, and every 15 s at least.
look_around() {
  look_again=$((ticks + SPOT_SET_IDLE * 25))
  if [ "$look_again" -gt $((ticks + 1500)) ]; then look_again=$((ticks + 1500)); fi
  # nvidia-smi takes seconds, and hangs on a GPU that is lost: somebody else asks it, and has until the next look.
  get gpu
  gpu=$value
  rm -f "$RUN/gpu"
  if is_number "$gpu"; then idle_samples=$((idle_samples + 1)); else gpu=; fi
  if ! kill -0 "${gpu_looker:-none}" 2>/dev/null; then
    # A GPU in parts says [N/A]: it is not known to be idle, unless another one works.
    (sample=$(nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits | tr '[' 9 | sort -n | tail -n 1) && put gpu "$sample") 2>/dev/null &
    gpu_looker=$!
  fi
  count_people
  idle_since=null
  if [ "$idle_ticks" -gt 0 ]; then idle_since=$((now - idle_ticks / 100)); fi
  idle_workload=running
  if [ -n "$ended_at" ]; then idle_workload=over; fi
  put idle "$(printf '{"since":%s,"gpuUtil":%s,"logins":%s,"workload":"%s","basis":["exit","logins"%s]}' \
    "$idle_since" "${gpu:-null}" "$people" "$idle_workload" "${gpu:+,\"gpu\"}")"
}

# count_people: who is logged in, works in `exec`, or came by SSH for anything but a verb of ours. The people of a machine that is
# only a process are another's.
count_people() {
  people=0
  for person in "$RUN"/sessions/*; do
    if kill -0 "${person##*/}" 2>/dev/null; then people=$((people + 1)); else rm -f "$person"; fi
  done
  [ "$SPOT_SET_MACHINE" != process ] || return 0
  people=$((people + $(who 2>/dev/null | wc -l)))
  for person in "$ROOT"/proc/[0-9]*; do
    command_of "$person"
    case $command_line in sshd*@*) ;; *) continue ;; esac
    person_runs=
    { read -r person_runs <"$person/task/${person##*/}/children"; } 2>/dev/null
    for person_runs in $person_runs; do
      command_of "$ROOT/proc/$person_runs"
      case $command_line in *spot/agent.sh* | *spot/verbs-*) ;; ?*) people=$((people + 1)) ;; esac
    done
  done
}
# [end]
