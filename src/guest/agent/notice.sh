# The agent: a notice and the answer to it.

# The controller's word, or the endpoint's: sets $notice to `KIND DEADLINE` or nothing. An endpoint that does not answer
# withdraws nothing.
hear() {
  heard='' heard_code=1
  case $SPOT_SET_NOTICES in
    controller) ;;
    local)
      read_notice
      heard_code=$?
      ;;
    *)
      keep_listening
      get heard
      case $value in none) heard_code=4 ;; ?*) heard=$value heard_code=0 ;; esac
      ;;
  esac
  case $heard_code in
    0) [ -n "$heard" ] && endpoint=$heard ;;
    4)
      if [ -n "$endpoint" ]; then
        # The endpoint takes back what both mouths said.
        get told
        is_same "$value" "$endpoint" && rm -f "$RUN/told"
      fi
      endpoint=
      ;;
  esac
  get told
  notice=${endpoint:-$value}
  # An advice hides no reclaim.
  case $endpoint in rebalance*) notice=${value:-$endpoint} ;; esac
}

# is_same WORD WORD: whether both are of one reclaim. What two mouths say of its deadline differs by some seconds.
is_same() {
  [ "${1% *}" = "${2% *}" ] && apart=$((${1#* } - ${2#* })) && [ "${apart#-}" -le 5 ]
}

# presses: whether there is a notice that ends this machine. A rebalance recommendation only says that one is more likely, and
# a machine that has outlived its deadline goes on as before.
presses() {
  case $notice in '' | rebalance*) return 1 ;; esac
  [ "$now" -lt $((${notice#* } + 60)) ]
}

# answer_notice: starts or ends the answer when the notice has changed.
answer_notice() {
  [ "$notice" = "$answered" ] && return 0
  if is_same "$notice" "$answered"; then
    # What is being done about it goes on, by the newer word. The hook that has answered it knows it by the first one.
    put notice "$notice"
    notice=$answered
    return
  fi
  if [ -n "$responder" ]; then kill -s TERM "$responder" 2>/dev/null; fi
  responder=
  answered=$notice
  if [ -z "$notice" ]; then
    rm -f "$RUN/notice.json" "$RUN/notice" "$RUN/fit"
    say 'the notice was withdrawn'
    return 0
  fi
  now
  put notice.json "{\"kind\":\"${notice% *}\",\"deadline\":${notice#* },\"seenAt\":$now}"
  put notice "$notice"
  case $notice in
    rebalance*)
      say 'the cloud recommends to move on (rebalance)'
      if [ -n "$begun" ] && [ -z "$ended_at" ] && [ -n "$VOLUME" ]; then seal_aside interval; fi
      ;;
    *)
      sh "$AGENT" _respond "${notice#* }" >/dev/null &
      responder=$!
      say "notice: ${notice% *} in $((${notice#* } - now)) s"
      ;;
  esac
}

# plan DEADLINE: sets $left (seconds to it) and $reserve (what a seal and its margin need of them), by what was sealed last.
plan() {
  now
  left=$(($1 - now))
  get needs
  is_number "$value" || value=$(du -sk "$CKPT" 2>/dev/null | awk '{ printf "%.0f", $1 * 1024 }')
  seal_needs=${value:-0}
  expect_seal
  reserve=$((needed + 1))
  if [ "$left" -gt 60 ]; then reserve=$((reserve + 3)); fi
}

# plan_hook DEADLINE: and $hook_share, the hook's part of the time: what the seal leaves, a quarter at least, a second at least.
plan_hook() {
  plan "$1"
  hook_share=$((left - reserve))
  if [ "$hook_share" -lt $((left / 4)) ]; then hook_share=$((left / 4)); fi
  if [ "$hook_share" -lt 1 ]; then hook_share=1; fi
}

# answer_hook DEADLINE: runs it, and sets $next_hook: as often as without a notice, and a last time as late as it (by twice what
# it took, and what the clock rounds away) and a seal are sure to fit, also when another seal was begun a moment before.
answer_hook() {
  plan_hook "$fit_until"
  took=$left
  rm -f "$RUN/hook-done"
  run_hook notice "$1" "$hook_share"
  plan "$fit_until"
  took=$(((took - left) * 2 + 3)) next_seal=0
  next_hook=$((left - reserve * 2 - took))
  get every
  if [ "$next_hook" -lt "$took" ]; then
    next_hook=99999
  elif is_number "$value" && [ "$next_hook" -gt "$value" ]; then
    next_hook=$value
  fi
  next_hook=$((now + next_hook))
}

# _respond DEADLINE: the hook inside its share, then a seal, then another whenever there is newer data and time for it. What
# does not fit is looked at again and again: the workload may make it smaller.
verb__respond() {
  load_settings && begin_work || return 7
  fit_until=$1 begins=true
  answer_hook "$1"
  if [ -z "$VOLUME" ]; then
    say 'this instance has no volume'
    return 0
  fi
  while [ -f "$RUN/notice.json" ]; do
    get notice
    fit_until=${value#* }
    plan "$fit_until"
    # Whoever is late, or whose clock is wrong, tries once all the same.
    if { [ "$left" -le 0 ] && [ "$next_seal" -gt 0 ]; } || [ -f "$RUN/released" ]; then break; fi
    [ "$now" -lt "$next_hook" ] || answer_hook "$1"
    # It may still be on its way.
    volume_there || { nap 0.5; continue; }
    # The first at once; then ever closer together towards the deadline, and one as late as a seal is sure to fit.
    if [ "$now" -ge "$next_seal" ] || { [ "$left" -le $((reserve + 1)) ] && [ "$left" -ge "$reserve" ]; }; then
      next_seal=$((now + 1))
      lock seal $((now + 10)) || continue
      fit_before=$begins
      seal notice || [ "$fit_before" = false ] || say "not sealed: $refusal"
      unlock seal
      case $begins$sealed in
      false*) next_seal=$((now + 5)) ;;
      *'"unchanged":false'*)
        plan "$fit_until"
        next_seal=$((now + 2 + left / 4))
        ;;
      esac
    fi
    [ "$left" -ge "$reserve" ] || [ "$begins" = false ] || break
    nap 0.5
  done
}
