# The agent: sealing.

# space_left: bytes that the volume can still take.
# shellcheck disable=SC2317 # the embedded cloud has another one
space_left() { space_free=$(df -Pk "$VOLUME/" | awk 'NR == 2 { printf "%.0f\n", $4 * 1024 }'); }

# [only process]
# On the embedded cloud a volume is a folder without a size of its own, and the cloud says how much it may hold.
space_left() {
  space_free=$(df -Pk "$VOLUME/" | awk 'NR == 2 { printf "%.0f\n", $4 * 1024 }')
  if is_number "${SPOT_VOLUME_LIMIT_BYTES-}"; then
    space_used=$(du -sk "$VOLUME/" 2>/dev/null | awk '{ printf "%.0f\n", $1 * 1024 }')
    space_limit=$((SPOT_VOLUME_LIMIT_BYTES - space_used))
    if [ "$space_limit" -lt "$space_free" ]; then space_free=$space_limit; fi
  fi
}
# [end]

full() { refuse "No space left on device: volume ${SPOT_SET_VOLUME_NAME:-$SPOT_SET_VOLUME_MOUNT} has $space_free bytes left, the checkpoint needs ${1:-more}"; }

# A new id sorts after every one on the volume, even when this machine's clock is behind or two fall in one second.
new_id() {
  id_number=$(date -u +%Y%m%d%H%M%S) || return 1
  id_count=0
  for id_other in "$SEALED"/c-*; do :; done
  id_other=${id_other##*/c-}
  case $id_other in
    [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f])
      id_rest=${id_other#*-}
      id_other=${id_other%Z*}
      id_other=${id_other%T*}${id_other#*T}
      if [ "$id_other" -ge "$id_number" ]; then
        id_count=$((0x${id_rest%????} + 1))
        # The next second, whatever the calendar calls it: 60 comes after 59.
        id_number=$((id_other + id_count / 65536))
        id_count=$((id_count % 65536))
      fi
      ;;
  esac
  id_chance=$(od -An -N2 -tx1 /dev/urandom | tr -d ' \n') && [ "${#id_chance}" -eq 4 ] || return 1
  id=c-${id_number%??????}T${id_number#????????}Z-$(printf '%04x' "$id_count")$id_chance
}

# The workload's own word for how far it is: the first line of a file STEP, made harmless.
read_step() {
  step=
  if [ -f "$1/STEP" ]; then step=$(head -c 256 "$1/STEP" 2>/dev/null | head -n 1 | tr -cd 'A-Za-z0-9._:+/=, -' | cut -c1-64 | sed 's/^ *//; s/ *$//'); fi
}

# write_manifest INVENTORY REASON
write_manifest() {
  awk -F "$TAB" -v id="$id" -v instance="$SPOT_SET_INSTANCE" -v volume="${SPOT_SET_VOLUME_NAME:--}" -v created="$now" -v reason="$2" \
    -v step="${step:--}" -v agent="$AGENT_VERSION" '
    { line[NR] = $2 == "f" ? "f " $6 " " $4 " " $3 " " $5 " " $1 : $2 " - 0 " $3 " " $5 " " $1 ($2 == "l" ? "\t" $6 : "")
      if ($2 == "f") { files++; bytes += $4 } }
    END {
      printf "spot.manifest/1\nid %s\ninstance %s\nvolume %s\ncreated %s\nreason %s\nstep %s\nagent %s\nfiles %d\nbytes %.0f\n", id, instance, volume, created, reason, step, agent, files, bytes
      for (i = 1; i <= NR; i++) print line[i] }' "$1" >"$PARTIAL/MANIFEST.tmp" &&
    manifest_end=$(hash_stdin <"$PARTIAL/MANIFEST.tmp") && [ "${#manifest_end}" -eq 64 ] &&
    printf 'end %s\n' "$manifest_end" >>"$PARTIAL/MANIFEST.tmp" && sync_one "$PARTIAL/MANIFEST.tmp"
}

# seal REASON: sets $sealed to the JSON of what was sealed, or returns 7 with $refusal. Wants the lock.
seal() {
  refusal='the checkpoint could not be sealed'
  sealed=
  ticks
  seal_began=$ticks
  [ -n "$VOLUME" ] || refuse 'this instance has no volume to seal a checkpoint on' || return
  [ ! -f "$RUN/released" ] || refuse 'the volume was released' || return
  volume_there || refuse "the volume is not there: $SPOT_SET_VOLUME_MOUNT" || return
  look "$WORK/before" || return
  if [ ! -s "$WORK/before" ]; then
    sealed='{"empty":true}'
    return 0
  fi
  seal_from=
  if get_sealed && manifest_whole "$SEALED/$sealed_id/MANIFEST" && [ "$(manifest_field "$SEALED/$sealed_id/MANIFEST" id)" = "$sealed_id" ]; then
    seal_from=$SEALED/$sealed_id
    if cmp -s "$WORK/before" "$LIB/sealed.list"; then
      sealed="{$sealed_json,\"unchanged\":true}"
      return 0
    fi
  fi
  sort_out "$WORK/before" || refuse "no space to work in: $RUN" || return
  fits || return
  mkdir -p "$SEALED" 2>"$WORK/copy.err" || refuse "$(head -n 1 "$WORK/copy.err")" || return
  space_left
  # To delete much takes long: only where it helps.
  [ "$space_free" -ge $((seal_needs - seal_holes)) ] || { clear_leftovers; space_left; }
  [ "$space_free" -ge $((seal_needs - seal_holes)) ] || full $((seal_needs - seal_holes)) || return
  new_id || refuse 'the clock could not be read' || return
  PARTIAL=$SEALED/.partial-$id
  seal_fill "$1"
  seal_code=$?
  if [ "$seal_code" -eq 8 ]; then
    say "$sealed_id is not as it was sealed: sealing without it"
    discard "$PARTIAL"
    seal_from=
    sort_out "$WORK/before" && seal_fill "$1"
    seal_code=$?
  fi
  if [ "$seal_code" -ne 0 ]; then
    discard "$PARTIAL"
    PARTIAL=
    return 7
  fi
  seal_record "$1" || return
  [ -n "$fit_until" ] || clear_leftovers || :
}

# What unfinished seals and prunings have left. Whoever is about to give a seal its name, or to take it away, renames: one of the two
# fails, and nothing that is listed is ever deleted.
clear_leftovers() {
  for leftover in "$SEALED"/.partial-*; do mv "$leftover" "$SEALED/.pruned-${leftover##*/.partial-}" 2>/dev/null; done
  for leftover in "$SEALED"/.pruned-*; do discard "$leftover"; done
}

# Fills $PARTIAL and gives it its name. Returns 8 when what was linked is not what it should be.
seal_fill() {
  mkdir "$PARTIAL" 2>"$WORK/copy.err" || refuse "$(head -n 1 "$WORK/copy.err")" || return
  copy_steadily "$WORK/before" || return
  # The disk is busy with the one, the processors with the other.
  (sync_one "$PARTIAL" all 2>"$WORK/sync.err" && true >"$WORK/synced") &
  seal_sync=$!
  hash_only=$WORK/unhashed
  inventory "$PARTIAL/data" "$WORK/sealed" "$WORK/before"
  seal_code=$?
  hash_only=
  wait "$seal_sync"
  [ -f "$WORK/synced" ] || refuse "the volume did not take the checkpoint: $(head -n 1 "$WORK/sync.err")" || return
  rm -f "$WORK/synced"
  # Not every disk keeps modes and times; what was linked had them. busybox's cp keeps no times of symbolic links.
  seal_same=1,2,4
  if [ -n "$seal_from" ]; then seal_same=1-5; fi
  seal_links="/${TAB}l$TAB/s/[0-9]*$//"
  cut -f "$seal_same" "$WORK/before" | sed "$seal_links" >"$WORK/wanted"
  if [ "$seal_code" -ne 0 ] || ! cut -f "$seal_same" "$WORK/sealed" | sed "$seal_links" | cmp -s - "$WORK/wanted"; then
    [ -z "$seal_from" ] || return 8
    [ "$seal_code" -eq 0 ] || refuse 'the copy on the volume could not be read back' || return
    refuse 'the copy on the volume differs from what was to be sealed'
    return
  fi
  # A limit that is no disk's own may have been passed.
  space_left
  [ "$space_free" -ge 0 ] || full || return
  read_step "$PARTIAL/data"
  now
  is_number "$now" || refuse 'the clock could not be read' || return
  write_manifest "$WORK/sealed" "$1" 2>"$WORK/copy.err" || refuse "the manifest could not be written: $(head -n 1 "$WORK/copy.err")" || return
  mv "$PARTIAL/MANIFEST.tmp" "$PARTIAL/MANIFEST" && sync_one "$PARTIAL" &&
    mv "$PARTIAL" "$SEALED/$id" && PARTIAL= && sync_one "$SEALED" || return
  # Where it was unmounted meanwhile, all of this lies on the disk below.
  volume_there || refuse "the volume is not there: $SPOT_SET_VOLUME_MOUNT"
}

# remember_sealed: that what $WORK/before lists is checkpoint $id, so that the same state is not sealed twice. The list of one and
# the name of another never lie here together.
remember_sealed() {
  sealed_json=$(manifest_json "$SEALED/$id/MANIFEST" "$id") || refuse "$id could not be read" || return
  rm -f "$LIB/sealed.last" && cp "$WORK/before" "$LIB/sealed.list.tmp" && mv -f "$LIB/sealed.list.tmp" "$LIB/sealed.list" &&
    printf '%s\n%s\n' "$id" "$sealed_json" >"$LIB/sealed.last.tmp" && mv -f "$LIB/sealed.last.tmp" "$LIB/sealed.last"
  put last-checkpoint "$id"
  put needs "$seal_whole"
}

# Keeps what the next deadline is planned with, and says it.
seal_record() {
  remember_sealed || return
  ticks
  seal_took=$((ticks - seal_began))
  seal_seconds=$((seal_took / 100)).$(printf %02d $((seal_took % 100)))
  put last-seal "$seal_seconds"
  put cost $((seal_took / 100 + 1 + ${hook_took:-0}))
  choose_every
  # It belongs to the disk, which outlives the machine. A full one loses it.
  if [ "$seal_needs" -ge "$TELLING_BYTES" ] && [ $((seal_needs * 2)) -ge "$seal_whole" ]; then
    { tail -n 2 "$PACES"; echo $((seal_needs * 100 / (seal_took + 1))); } >"$WORK/paces" 2>/dev/null
    cp "$WORK/paces" "$PACES.tmp" 2>/dev/null && mv -f "$PACES.tmp" "$PACES"
  fi
  sealed="{$sealed_json,\"unchanged\":false}"
  say "sealed $id ($1, $seal_seconds s)"
}

# choose_every: keeps the seconds from one checkpoint to the next in $RUN/every. As ordered; or by Daly's rule (2006, equation 37)
# for checkpoints that take as long as the last one, its hook included (5 s before the first), and an interruption every
# $SPOT_SET_BETWEEN seconds: a minute at least, six hours at most. Not every busybox has a square root.
choose_every() {
  get cost
  put every "${SPOT_SET_EVERY:-$(awk -v d="${value:-5}" -v m="$SPOT_SET_BETWEEN" 'BEGIN {
    if (!m) exit
    for (x = 1; i++ < 60;) x = (x + d / m / 2 / x) / 2
    t = x < 1 ? 2 * m * x * (1 + x / 3 + x * x / 9) - d : m
    print int(t < 60 ? 60 : t > 21600 ? 21600 : t) }')}"
}

# Sets $sealed_id and $sealed_json to the last seal's, while it stands on the volume; to nothing otherwise.
get_sealed() {
  sealed_id='' sealed_json=''
  if [ -r "$LIB/sealed.last" ]; then { IFS= read -r sealed_id && IFS= read -r sealed_json; } <"$LIB/sealed.last"; fi
  [ -n "$sealed_json" ] && [ -f "$SEALED/$sealed_id/MANIFEST" ] && return
  sealed_id=
  return 1
}

# expect_seal: sets $needed to the seconds that a seal of $seal_needs bytes is reckoned with, at $pace: the slowest of the last
# three that were measured. Half of it is margin, a second what the programs take.
expect_seal() {
  pace=$(grep -x '[1-9][0-9]\{0,14\}' "$PACES" 2>/dev/null | sort -n | head -n 1)
  : "${pace:=$FIRST_PACE}"
  needed=$((seal_needs * 3 / 2 / pace + 1))
}

# fits: whether what is to be sealed fits the time until $fit_until, which is empty where nothing presses. The first checkpoint
# of all is begun in any case: there is nothing to lose. So is one whose deadline is over: a clock may be wrong.
fits() {
  begins=true
  [ -n "$fit_until" ] || return 0
  now
  fit_left=$((fit_until - now)) fit=true
  expect_seal
  if [ "$needed" -gt "$fit_left" ]; then fit=false; fi
  if get_sealed && [ "$fit" = false ] && [ "$fit_left" -gt 0 ]; then begins=false; fi
  json_text "$sealed_id"
  fit=$(printf '{"bytes":%s,"bytesPerSecond":%s,"neededSeconds":%s,"leftSeconds":%s,"fits":%s,"begun":%s,"stands":%s}' \
    "$seal_needs" "$pace" "$needed" "$fit_left" "$fit" "$begins" "$json")
  put fit "$fit"
  [ "$begins" = true ] || refuse "$((seal_needs / 1000000)) MB need $needed s, $fit_left s are left: not started; $sealed_id stands"
}
