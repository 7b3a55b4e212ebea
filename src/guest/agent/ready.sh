# The agent: whether the workload answers.

# [only carried]
verb_ready_http() {
  load_settings || fail 'the agent has no settings'
  if ! is_number "${1-}" || [ "$1" -lt 1 ] || [ "$1" -gt 65535 ]; then fail "not a port: ${1-}"; fi
  case ${2-/} in [!/]* | *[!\!-~]*) fail "not a path: $2" ;; esac
  ready=false
  if answers_http "$1" "${2-/}"; then ready=true; fi
  printf '{"ready":%s}\n' "$ready"
}

# answers_http PORT PATH: with anything below 400. bash speaks TCP by itself, and is there more often than curl.
answers_http() {
  if command -v bash >/dev/null 2>&1; then
    # shellcheck disable=SC2016 # the dollars are bash's
    answer_line=$(bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAccept: */*\r\nConnection: close\r\n\r\n" "$1" "$0" >&3 &&
      IFS= read -r -t 4 line <&3 && printf %s "$line"' "$1" "$2" 2>/dev/null)
    case $answer_line in HTTP/*' '[123][0-9][0-9]*) return 0 ;; *) return 1 ;; esac
  fi
  http GET "http://127.0.0.1:$1$2" 'Accept: */*' >/dev/null
}

# verb_marks: as `status` has them, and what the workload has marked since the agent last looked.
verb_marks() {
  require_running
  get marks
  marks=$value phases=0 phase_rest='' known=0
  now
  # shellcheck disable=SC2086 # one word for each mark
  { IFS='|' && set -- $value && unset IFS; }
  for marked; do
    case $marked in '' | *@*) ;; *) known=$((known + 1)) ;; esac
  done
  # shellcheck disable=SC2317 # take_phases calls it
  mark() { [ "$phases" -le "$known" ] || marks="$marks|$now $1"; }
  take_phases 8<"$RUN/phases"
  json_text "$marks"
  printf '{"marks":%s}\n' "$json"
}
# [end]
