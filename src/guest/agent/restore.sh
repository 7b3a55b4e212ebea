# The agent: putting a checkpoint back.

# manifest_field FILE NAME
manifest_field() { sed -n "2,10s/^$2 //p" "$1"; }

# manifest_whole FILE: whether it says of itself what it should.
manifest_whole() {
  [ -f "$1" ] && [ "$(head -n 1 "$1")" = spot.manifest/1 ] && [ "$(tail -n 1 "$1")" = "end $(sed '$d' "$1" | hash_stdin)" ]
}

# matches_manifest FOLDER MANIFEST: whether the folder holds exactly what the manifest lists; says what differs.
matches_manifest() {
  sed -e 1,10d -e '$d' "$2" | awk -v OFS="$TAB" '
    { rest = $0; for (i = 0; i < 5; i++) rest = substr(rest, index(rest, " ") + 1)
      content = $2
      if ($1 == "l") { content = substr(rest, index(rest, "\t") + 1); rest = substr(rest, 1, index(rest, "\t") - 1) }
      print rest, $1, $3, content }' | sort >"$WORK/listed"
  inventory "$1" "$WORK/found" "$WORK/listed" || { say 'some of its files could not be read'; return 1; }
  cut -f 1,2,4,6 "$WORK/found" | sort >"$WORK/there"
  cmp -s "$WORK/listed" "$WORK/there" && return 0
  sort "$WORK/listed" "$WORK/there" | uniq -u | cut -f 1 | uniq | head -n 5 >"$WORK/different"
  while IFS= read -r different; do say "  damaged, missing or extra: $different"; done <"$WORK/different"
  return 1
}

# manifest_json FILE ID [SHA256]: what a manifest says of its checkpoint, as the inside of a JSON object.
manifest_json() {
  manifest_hash=${3:-$(hash_stdin <"$1")} && [ "${#manifest_hash}" -eq 64 ] || return 1
  awk -v id="$2" -v sha256="$manifest_hash" '
    function text(value) { gsub(/[^ -~]|["\\]/, "", value); return value == "-" ? "null" : "\"" value "\"" }
    function number(value) { return value ~ /^[0-9]+$/ ? value : 0 }
    NR <= 10 { field[NR] = substr($0, index($0, " ") + 1) }
    NR == 10 { exit }
    END { printf "\"id\":\"%s\",\"instance\":%s,\"volume\":%s,\"createdAt\":%s,\"reason\":%s,\"step\":%s,\"files\":%s,\"bytes\":%s,\"sha256\":\"%s\"",
        id, text(field[3]), text(field[4]), number(field[5]), text(field[6]), text(field[7]), number(field[9]), number(field[10]), sha256 }' "$1"
}

# restore_one ID: puts a checkpoint back, verified as it now lies here. Returns 2 when it is another instance's.
restore_one() {
  from=$SEALED/$1
  manifest_whole "$from/MANIFEST" || { say "checkpoint $1: its manifest is damaged"; return 1; }
  from_instance=$(manifest_field "$from/MANIFEST" instance) || return 1
  [ "$from_instance" = "$SPOT_SET_INSTANCE" ] || return 2
  mkdir -p "$RUN/reading" && true >"$RUN/reading/$1.$$"
  discard "$LIB/.restoring"
  if ! mkdir "$LIB/.restoring" || ! cp -pPR "$from/data/." "$LIB/.restoring/"; then
    say "checkpoint $1 could not be copied here"
    return 1
  fi
  matches_manifest "$LIB/.restoring" "$from/MANIFEST" || { say "checkpoint $1 does not verify"; return 1; }
  rmdir "$CKPT" && mv "$LIB/.restoring" "$CKPT"
}

# restore_newest: 0 when something was put back or there is nothing to put back; 7 when there are checkpoints and none verifies.
restore_newest() {
  restored=
  [ -n "$VOLUME" ] || return 0
  passed=' the volume cannot be read'
  candidates=
  # Where nothing can be listed, nothing is put back: that is not the same as a volume without checkpoints.
  volume_there && mkdir -p "$SEALED" && ls "$SEALED" >/dev/null && passed= && for folder in "$SEALED"/c-*; do
    case ${folder##*/} in *[!0-9A-Za-z-]*) ;; *) candidates="${folder##*/} $candidates" ;; esac
  done
  for candidate in $candidates; do
    [ ! -f "$SEALED/$candidate" ] || continue
    # A damaged manifest may be anyone's: then it is better to stop than to begin again from nothing.
    restore_one "$candidate"
    restore_code=$?
    rm -f "$RUN/reading/$candidate.$$"
    [ "$restore_code" = 2 ] && continue
    if [ "$restore_code" = 0 ]; then
      restored=$candidate
      # What was just put back is sealed already.
      id=$candidate
      seal_from=
      describe "$CKPT" "$WORK/before" && sort_out "$WORK/before" && remember_sealed
      say "put back $candidate"
      put passed "$passed"
      return 0
    fi
    passed="$passed $candidate"
  done
  [ -z "$passed" ] && volume_there && return 0
  give_up "sealed checkpoint(s) of $SPOT_SET_INSTANCE and none verifies:${passed:- the volume cannot be read}; the workload is not started"
  return 7
}
