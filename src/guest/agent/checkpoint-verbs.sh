# The agent: what is sealed on the volume.

# [only carried]
verb_sealed() {
  require_volume
  # Once for all of them.
  choose_hasher plain
  sealed_rows='' damaged_rows=''
  [ ! -e "$SEALED" ] || ls "$SEALED" >/dev/null || fail 'the checkpoints on the volume cannot be listed'
  for folder in "$SEALED"/c-*; do
    id=${folder##*/}
    case $id in c-*[!0-9A-Za-z-]*) continue ;; esac
    if ! manifest_whole "$folder/MANIFEST"; then
      [ -d "$folder" ] && damaged_rows="{\"id\":\"$id\",\"instance\":$(json_string "$(manifest_field "$folder/MANIFEST" instance 2>/dev/null)")}${damaged_rows:+,$damaged_rows}"
      continue
    fi
    sealed_json=$(manifest_json "$folder/MANIFEST" "$id") || fail "checkpoint $id could not be read"
    sealed_rows="{$sealed_json}${sealed_rows:+,$sealed_rows}"
  done
  # A manifest names the volume that it was sealed on, and a copy of it lies on another one.
  printf '{"volume":%s,"sealed":[%s],"damaged":[%s]}\n' "$(json_string "$SPOT_SET_VOLUME_NAME")" "$sealed_rows" "$damaged_rows"
}

# verify ID [damaged]. Of one that is damaged it names up to five paths. `damaged`: the controller has found that itself, where it sees
# the volume.
verb_verify() {
  require_checkpoint "${1-}"
  begin_work || fail "no space to work in: $RUN"
  true >"$WORK/different" || fail "no space to work in: $RUN"
  if [ "${2-}" = damaged ] || ! matches_manifest "$SEALED/$1/data" "$SEALED/$1/MANIFEST"; then
    # Nothing is linked from what may share that damage: the next seal is a whole copy. One that runs now would write this again.
    rm -f "$LIB/sealed.last"
    now
    lock seal $((now + 3600)) && rm -f "$LIB/sealed.last"
    damaged_rows=
    while IFS= read -r different; do damaged_rows=${damaged_rows:+$damaged_rows,}$(json_string "$different"); done <"$WORK/different"
    fail_damaged "checkpoint $1 does not verify: $(awk '{ printf "%s%s", (NR > 1 ? ", " : ""), $0 }' "$WORK/different")" "$damaged_rows"
  fi
  verified=$(manifest_json "$SEALED/$1/MANIFEST" "$1") || fail "checkpoint $1 could not be read"
  printf '{%s}\n' "$verified"
}

verb_pack() {
  exec 3>&1 >&2
  require_checkpoint "${1-}"
  exec tar -cf - -C "$SEALED/$1" MANIFEST data >&3 3>&-
}
# [end]
