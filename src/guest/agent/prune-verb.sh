# The agent: removing checkpoints.

# [only carried]
# is_read ID: whether a process that lives reads it, or puts it back.
is_read() {
  for reader in "$RUN/reading/$1".*; do
    if kill -0 "${reader##*.}" 2>/dev/null; then return 0; fi
    rm -f "$reader"
  done
  return 1
}

# disk_bytes FOLDER...: sets $disk_bytes to what the disk has back without them: the blocks of the files of which no hard link is
# left elsewhere.
disk_bytes() {
  find "$@" -type f -exec stat -c '%d:%i %h %b' {} + >"$WORK/inodes" 2>/dev/null || find "$@" -type f -exec stat -f '%d:%i %l %b' {} + >"$WORK/inodes" || return 1
  disk_bytes=$(awk '{ links[$1] = $2; blocks[$1] = $3; seen[$1]++ }
    END { for (inode in seen) if (seen[inode] >= links[inode]) bytes += blocks[inode] * 512; printf "%.0f\n", bytes }' "$WORK/inodes")
  is_number "$disk_bytes"
}

# newest_ones OUT: the newest whole checkpoint of each instance.
newest_ones() {
  choose_hasher plain
  for folder in "$SEALED"/c-*; do
    manifest_whole "$folder/MANIFEST" && printf '%s\t%s\n' "$(manifest_field "$folder/MANIFEST" instance)" "${folder##*/}"
  done >"$WORK/whole"
  awk -F "$TAB" '{ newest[$1] = $2 } END { for (instance in newest) print newest[instance] }' "$WORK/whole" >"$1"
}

# Each gets another name first, and that is made durable before a single file goes: whatever interrupts this, what is still listed
# is whole, and the next seal or pruning deletes the rest.
verb_prune() {
  prune_dry=
  if [ "${1-}" = --dry-run ]; then prune_dry=yes && shift; fi
  [ $# -gt 0 ] || fail 'prune needs the checkpoints that are to go'
  for id in "$@"; do is_checkpoint_name "$id" || fail "not a checkpoint: $id"; done
  require_volume
  begin_work || fail "no space to work in: $RUN"
  now
  lock seal $((now + 3600)) || fail 'a checkpoint is being sealed; try again'
  [ ! -f "$RUN/released" ] || fail 'the volume was released'
  newest_ones "$WORK/newest" || fail "no space to work in: $RUN"
  pruned=
  for id in "$@"; do
    case ",$pruned," in *",\"$id\","*) continue ;; esac
    [ -d "$SEALED/$id" ] || continue
    if grep -qxF "$id" "$WORK/newest"; then fail "$id is the newest sealed checkpoint of $(manifest_field "$SEALED/$id/MANIFEST" instance): it stays"; fi
    if is_read "$id"; then fail "$id is being read: it stays"; fi
    pruned="${pruned:+$pruned,}\"$id\""
  done
  disk_bytes=0
  # On a volume that has gone away meanwhile there is nothing to see.
  if [ -n "$pruned" ]; then prune_all "$@"; else require_volume; fi
  printf '{"pruned":[%s],"freed":%s}\n' "$pruned" "$disk_bytes"
}

prune_all() {
  # The names are plain, the folder's may be not.
  cd "$SEALED" || fail "the volume is not there: $SPOT_SET_VOLUME_MOUNT"
  for id in "$@"; do
    shift
    case " $* " in *" $id "*) ;; *) [ ! -d "$id" ] || set -- "$@" "$id" ;; esac
  done
  disk_bytes "$@" || fail 'what is to go could not be read'
  [ -z "$prune_dry" ] || return 0
  for id in "$@"; do
    [ -d "$id" ] || continue
    mv "$id" ".pruned-$id" || fail "$id could not be removed"
    if is_read "$id"; then
      for read in "$@"; do [ ! -d ".pruned-$read" ] || [ -e "$read" ] || mv ".pruned-$read" "$read"; done
      fail "$id is being read: it stays"
    fi
  done
  sync_one "$SEALED" || fail 'the volume did not take the change'
  for leftover in .partial-*; do [ ! -e "$leftover" ] || mv "$leftover" ".pruned-${leftover#.partial-}"; done
  # Nobody finds them any more: no seal waits until they are gone.
  unlock seal
  for leftover in .pruned-*; do [ -f "$RUN/released" ] || discard "$leftover"; done
  for id in "$@"; do [ ! -e ".pruned-$id" ] || fail "not all of it could be deleted: $SEALED/.pruned-$id"; done
}
# [end]
