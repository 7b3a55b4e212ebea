# The agent: which verb it is.

# What the controller brings. Whoever calls one of these by hand is passed on to what it has brought.
CARRIED='stop volume release sealed prune verify pack manifest give receive freeze thaw marks ready-http'

verb=${1-}
[ $# -gt 0 ] && shift
http_head=$RUN/.http-${verb##*/}
# [only carried]
if [ "$verb" = ready-http ]; then verb=ready_http; fi
# [end]
if command -v "verb_$verb" >/dev/null; then
  "verb_$verb" "$@"
else
  case " $CARRIED " in
    *" $verb "*)
      for brought in "$LIB"/verbs-*.sh; do [ ! -f "$brought" ] || exec sh "$brought" "$verb" "$@"; done
      ;;
  esac
  say "not a verb: $verb (run, snapshot, notice, status, listen, exec; $CARRIED: when the controller has brought them)"
  exit 2
fi
