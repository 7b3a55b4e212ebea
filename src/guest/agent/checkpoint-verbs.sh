# The agent: what is sealed on the volume.

# [only carried]
# hash_manifests OUT: `hash *ID/MANIFEST` for each checkpoint that has one, in the order of their names.
hash_manifests() {
  true >"$1" || return 1
  [ -d "$SEALED" ] || return 0
  ls "$SEALED" >/dev/null && cd "$SEALED" || return 1
  for folder in c-*; do
    case $folder in *[!0-9A-Za-z-]*) ;; *) [ ! -f "$folder/MANIFEST" ] || echo "$folder/MANIFEST" ;; esac
  done >"$1.names"
  # What cannot be read has no line.
  # shellcheck disable=SC2086 # a program and its options
  [ ! -s "$1.names" ] || xargs $HASHER <"$1.names" >"$1" || :
}

# A manifest of thousands of files is long, and there may be hundreds: each is read once, all by one program. The hashes of those that
# were found whole are kept, and whatever has one of them is whole.
verb_sealed() {
  require_volume
  begin_work || fail "no space to work in: $RUN"
  choose_hasher plain
  (hash_manifests "$WORK/hashes") || fail 'the checkpoints on the volume cannot be listed'
  [ -e "$LIB/manifests" ] || true >"$LIB/manifests"
  whole=" $(tr '\n' ' ' <"$LIB/manifests")"
  sealed_rows='' damaged_rows='' manifest_row=''
  for folder in "$SEALED"/c-*; do
    id=${folder##*/}
    case $id in c-*[!0-9A-Za-z-]*) continue ;; esac
    [ -n "$manifest_row" ] || IFS= read -r manifest_row <&3 || :
    manifest_hash=
    case $manifest_row in *[\ *]"$id/MANIFEST") manifest_hash=${manifest_row%% *} manifest_row= ;; esac
    case $whole in
      *" ${manifest_hash:-none} "*) ;;
      *)
        if ! manifest_whole "$folder/MANIFEST"; then
          [ -d "$folder" ] && damaged_rows="{\"id\":\"$id\",\"instance\":$(json_string "$(manifest_field "$folder/MANIFEST" instance 2>/dev/null)")}${damaged_rows:+,$damaged_rows}"
          continue
        fi
        # Whoever asks again because this took too long finds it here.
        echo "$manifest_hash" >>"$LIB/manifests"
        ;;
    esac
    echo "$manifest_hash" >>"$WORK/manifests"
    sealed_json=$(manifest_json "$folder/MANIFEST" "$id" "$manifest_hash") || fail "checkpoint $id could not be read"
    sealed_rows="{$sealed_json}${sealed_rows:+,$sealed_rows}"
  done 3<"$WORK/hashes"
  # Those that are gone are forgotten.
  cmp -s "$WORK/manifests" "$LIB/manifests" || { cp "$WORK/manifests" "$LIB/.manifests.$$" && mv -f "$LIB/.manifests.$$" "$LIB/manifests"; } 2>/dev/null
  # What went away meanwhile looks like no checkpoints.
  volume_there || fail "the volume is not there: $SPOT_SET_VOLUME_MOUNT"
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
