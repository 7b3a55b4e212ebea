# The agent: copying the checkpoint folder onto the volume.

# freeze LIST: hard links to the checkpoint folder as it is now, and their list. Links are made one after the other, so
# a workload that replaces two files may do it in between: what was frozen is compared with what lies there afterwards.
# A workload that is never still for so long gets files that are each whole; not where a name was gone when it was to be linked: the
# file may have had another one all the time.
freeze() {
  freeze_try=0
  while :; do
    discard "$LIB/.freeze"
    cp -pPRl "$CKPT" "$LIB/.freeze" 2>"$WORK/freeze.err"
    freeze_code=$?
    [ "$freeze_code" -eq 0 ] || vanished "$WORK/freeze.err" || return 1
    describe "$LIB/.freeze" "$1" && describe "$CKPT" "$WORK/live" || return 1
    [ ! -s "$WORK/live.err" ] && cmp -s "$1" "$WORK/live" && return 0
    freeze_try=$((freeze_try + 1))
    [ "$freeze_try" -ge "$MOST_TRIES" ] && return "$freeze_code"
  done
}

# same_state LIST LIST: whether both are of the same contents. A link that somebody makes to a file changes its ctime.
same_state() { cut -f 1-6 "$1" >"$WORK/cut" && cut -f 1-6 "$2" | cmp -s - "$WORK/cut"; }

# restamp LIST FROM: our own links, made or taken away, change the ctime of the workload's files; that of the same state in FROM is
# put in its place.
restamp() {
  awk '
    { state = $0; sub(/\t[^\t]*$/, "", state) }
    FILENAME == ARGV[1] { from[state] = $0; next }
    { print (state in from) ? from[state] : $0 }' "$2" "$1" >"$WORK/stamped" && mv -f "$WORK/stamped" "$1"
}

# sort_out LIST: what of LIST the last sealed checkpoint has, $seal_from. Makes lists in $WORK: `carried` (path and hash of the files
# that are the very same), `gone` (what is not wanted of it), `fresh` (what is to be copied; a folder with all that it holds),
# `unhashed` (the files without a known hash), `times` (the folders whose time changes by that); and sets, in bytes, $seal_whole
# (all of LIST), $seal_needs (what is to be written) and $seal_holes (what sparse files save of that). Empties $seal_from when
# little would be saved by it.
sort_out() {
  for sort_name in carried gone gone.odd fresh fresh.odd unhashed unhashed.odd times times.odd; do true >"$WORK/$sort_name" || return 1; done
  sort_from=/dev/null sort_last=/dev/null
  if [ -n "$seal_from" ]; then sort_from=$seal_from/MANIFEST sort_last=$LIB/sealed.list; fi
  awk -F "$TAB" -v at="$WORK/" '
    function over(path) { return sub("/[^/]*$", "", path) ? path : "" }
    function put(list, head, path) { print head path >(at list (path ~ /\\/ ? ".odd" : "")) }
    FILENAME == ARGV[1] { hole[$1] = $2; next }
    FILENAME == ARGV[2] {
      if (sub(/^f /, "")) {
        sum = substr($0, 1, 64)
        sub(/^[^ ]* [^ ]* [^ ]* [^ ]* /, "")
        hash[$0] = sum
      }
      next
    }
    FILENAME == ARGV[3] { last[$1] = $0; next }
    {
      inside = over($1) in made
      known = !inside && $1 in last
      split(known ? last[$1] : "", was, FS)
      share = 512 + length($1)
      size = $2 == "f" ? int(($4 + 4095) / 4096) * 4096 : 4096
      whole += share + size
      all += 65536 + $4
      if (known && $2 == "d" && was[2] == "d" && was[3] == $3 && was[6] == $6) {
        needs += share + size
        if (was[5] != $5) touched[$1]
        kept[$1]
        delete last[$1]
        next
      }
      if (known && last[$1] == $0 && ($2 == "l" || $1 in hash)) {
        needs += share
        same += 65536 + $4
        if ($2 == "f") print $1 "\t" hash[$1] >(at "carried")
        delete last[$1]
        next
      }
      needs += share + size
      if ($1 in hole) holes += hole[$1]
      if ($2 == "f") put("unhashed", ".//./", $1)
      if ($2 == "d") made[$1]
      if (!inside) { put("fresh", "./", $1); touched[over($1)] }
    }
    END {
      for (path in last) { put("gone", "./", path); touched[over(path)] }
      kept[""]; touched[""]
      for (path in touched) if (path in kept) put("times", "./", path)
      printf "%.0f %.0f %.0f %d\n", whole + 4096, needs + 4096, holes, (same * 4 >= all)
    }' "$1.holes" "$sort_from" "$sort_last" "$1" >"$WORK/sums" && read -r seal_whole seal_needs seal_holes sort_worth <"$WORK/sums" || return 1
  if [ -n "$seal_from" ] && [ "$sort_worth" = 0 ]; then
    seal_from=
    sort_out "$1"
  fi
}

# each LIST SCRIPT WORD: `spread` for the names of LIST.
each() { names "$1" >"$1.names" && spread "$1.names" "$2" "$3"; }

# copy_once LIST: makes $PARTIAL/data of $copy_from. What $seal_from has is linked. Nobody may write into a file that other
# checkpoints share, so whatever is copied has no name there yet.
copy_once() {
  if [ -n "$seal_from" ]; then
    # shellcheck disable=SC2016
    if ! { mkdir "$PARTIAL/data" && (cd "$seal_from/data" && find . ! -name . -prune -print0 >"$WORK/tops" &&
      spread "$WORK/tops" 'cp -pPRl "$@" "$0"' "$PARTIAL/data") &&
      (cd "$PARTIAL/data" && each "$WORK/times" 'for name in "$@"; do [ -w "$name" ] || chmod u+w "$name"; done' sh && each "$WORK/gone" 'rm -rf "$@"' sh); }; then
      # No hard links on that disk, or too many of one file.
      discard "$PARTIAL/data"
      seal_from=
      sort_out "$1" || return 1
    fi
  fi
  mkdir -p "$PARTIAL/data" || return 1
  # shellcheck disable=SC2016 # the variables are the inner shell's
  (cd "$copy_from" && each "$WORK/fresh" 'cp -pPR --parents --remove-destination "$@" "$0" 2>/dev/null || {
      code=0
      for name in "$@"; do rm -rf "$0/$name" && cp -pPR "$name" "$0/$name" || code=1; done
      exit $code
    }' "$PARTIAL/data") 2>"$WORK/fresh.err" || vanished "$WORK/fresh.err" || return 1
  copy_root=$(stat -c '%u:%g %a' "$copy_from" 2>/dev/null) && chown "${copy_root% *}" "$PARTIAL/data" && chmod "${copy_root#* }" "$PARTIAL/data"
  # shellcheck disable=SC2016
  (cd "$PARTIAL/data" && each "$WORK/times" 'for name in "$@"; do touch -r "$0/$name" "$name" && { [ -w "$0/$name" ] || chmod u-w "$name"; } || exit 1; done' "$copy_from")
}

# copy_steadily LIST: copies the checkpoint folder into $PARTIAL/data. Whatever changed meanwhile makes it begin again.
# The second and later tries copy from hard links, so that a workload that replaces its files by rename cannot disturb.
copy_steadily() {
  copy_try=0
  copy_from=$CKPT
  while :; do
    # A write in the same tick of the file system's clock as the list would go unseen.
    nap 0.01
    copy_once "$1" 2>"$WORK/copy.err"
    copy_code=$?
    describe "$copy_from" "$WORK/after" || copy_code=1
    if [ "$copy_code" -eq 0 ] && same_state "$1" "$WORK/after"; then break; fi
    if grep -q 'No space left\|quota exceeded' "$WORK/copy.err"; then
      space_left
      full
      return 1
    fi
    copy_try=$((copy_try + 1))
    if [ "$copy_code" -ne 0 ] && same_state "$1" "$WORK/after"; then
      refuse "the checkpoint could not be copied: $(head -n 1 "$WORK/copy.err")"
      return 1
    fi
    if [ "$copy_try" -ge "$MOST_TRIES" ]; then
      copy_name=$(cut -f 1-6 "$WORK/after" | sort - "$WORK/cut" | uniq -u | awk -F "$TAB" '$2 != "d" || NR == 1 { name = $1 } $2 != "d" { exit } END { print name }')
      refuse "$copy_name kept changing while it was read ($copy_try tries); write checkpoints under another name and rename them"
      return 1
    fi
    discard "$PARTIAL/data"
    mv -f "$1" "$WORK/stamps" || return 1
    if freeze "$1" && restamp "$1" "$WORK/stamps"; then
      copy_from=$LIB/.freeze
    else
      copy_from=$CKPT
      nap 0.5
      look "$1" || return 1
    fi
    sort_out "$1" || return 1
  done
  if [ "$copy_from" != "$CKPT" ]; then
    discard "$LIB/.freeze"
    describe "$CKPT" "$WORK/after" && restamp "$1" "$WORK/after" || return 1
  fi
  # Sockets, pipes and devices are no content.
  find "$PARTIAL/data" ! -type f ! -type d ! -type l -exec rm -f {} +
}
