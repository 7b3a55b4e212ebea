# The agent: which verb it is.

verb=${1-}
[ $# -gt 0 ] && shift
http_head=$RUN/.http-${verb##*/}
if [ "$verb" = ready-http ]; then verb=ready_http; fi
if command -v "verb_$verb" >/dev/null; then
  "verb_$verb" "$@"
else
  say "not a verb: $verb (run, snapshot, notice, status, listen, stop, volume, release, sealed, verify, pack, ready-http, exec)"
  exit 2
fi
