# The agent: a command in the workload's environment.

verb_exec() {
  [ "${1-}" = -- ] && shift
  case ${1-} in '' | -*) fail "not a program's name: ${1-}" ;; esac
  load_settings || fail 'the agent has no settings'
  # As long as it runs, somebody is here.
  { mkdir -p "$RUN/sessions" && true >"$RUN/sessions/$$"; } 2>/dev/null
  restore_locale
  if [ -r "$RUN/environment" ]; then
    # The terminal is the one of whoever asks.
    exec_term=${TERM-}
    # shellcheck source=/dev/null
    . "$RUN/environment"
    if [ -n "$exec_term" ]; then TERM=$exec_term && export TERM; fi
    cd "$PWD" || exit 126
  else
    workload_environment
  fi
  exec "$@"
}
