# The agent: checkpoints on their way to another volume or from one, and to a bucket or from one.

# [only carried]
# The file MANIFEST, as it lies there.
verb_manifest() {
  exec 3>&1 >&2
  require_checkpoint "${1-}"
  exec cat "$SEALED/$1/MANIFEST" >&3 3>&-
}

# give ID [FROM]: the contents of the files that standard input names, one after the other; with FROM of a single one, from that
# byte on. Names end with a NUL and begin with `./`.
verb_give() {
  exec 3>&1 >&2
  require_checkpoint "${1-}"
  cd "$SEALED/$1/data" || fail "checkpoint $1: its files are not there"
  if is_number "${2-}" && [ "$2" -gt 0 ]; then exec xargs -0 tail -c "+$(($2 + 1))" >&3 3>&-; fi
  exec xargs -0 cat >&3 3>&-
}

# require_arrival ID: sets $arriving to the folder in which it arrives. A seal takes away what an unfinished seal has left; what
# arrives has a name of its own, so that it can go on after any break.
require_arrival() {
  is_checkpoint_name "${1-}" || fail "not a checkpoint: ${1-}"
  require_volume
  [ ! -f "$RUN/released" ] || fail 'the volume was released'
  arriving=$SEALED/.arriving-$1
}

# end_streams ID: ends what still writes into the arrival: of a copier that was given up, or that stands still, a tar stream would go
# on inside the checkpoint when it has its name. Each has a mark whose name ends with its pid; that may be another process's by now.
end_streams() {
  for stream in "$RUN/arriving/$1".*; do
    stream_tries=0
    while writes_arrival "${stream##*.}" "$1"; do
      [ "$stream_tries" -lt 100 ] || fail "files of $1 are still being written by process ${stream##*.}"
      stream_tries=$((stream_tries + 1))
      kill -s KILL "${stream##*.}" 2>/dev/null
      nap 0.1
    done
    rm -f "$stream"
  done
}

# writes_arrival PID ID: before it becomes tar it is a fork of the verb.
writes_arrival() {
  is_number "$1" && kill -0 "$1" 2>/dev/null || return 1
  command_of "/proc/$1"
  [ -d /proc/self ] || command_line=$(ps -o args= -p "$1")
  case $command_line in *"$arriving/data"* | *receive*"$2"*files*) ;; *) return 1 ;; esac
}

# receive ID begin: standard input is its manifest. Prints {"sealed":BOOL,"present":N} and N lines: the files that are there
# already, whole, as a manifest writes their names.
# receive ID files: standard input is a tar stream of files, folders and links below `data`.
# receive ID seal: verifies it, makes it durable and gives it its name; what does not verify is removed.
verb_receive() {
  require_arrival "${1-}"
  begin_work || fail "no space to work in: $RUN"
  # Several streams may bring files at the same time; whoever begins or seals is alone.
  arrival_lock=arrival-$1
  trap 'unlock "$arrival_lock"; end_work' EXIT
  now
  lock "$arrival_lock" $((now + 50)) || fail "$1 is arriving already; try again"
  case ${2-} in
    begin)
      end_streams "$1"
      receive_begin "$1"
      ;;
    files) receive_files "$1" ;;
    seal)
      end_streams "$1"
      receive_seal "$1"
      ;;
    *) fail "not a part of receive: ${2-}" ;;
  esac
}

receive_begin() {
  cat >"$WORK/MANIFEST" || fail "no space to work in: $RUN"
  manifest_whole "$WORK/MANIFEST" || fail "the manifest of $1 has not arrived whole"
  if [ -e "$SEALED/$1" ]; then
    cmp -s "$WORK/MANIFEST" "$SEALED/$1/MANIFEST" || fail "another checkpoint lies there as $1"
    matches_manifest "$SEALED/$1/data" "$WORK/MANIFEST" || fail "checkpoint $1 lies there already and does not verify"
    printf '{"sealed":true,"present":0}\n'
    return
  fi
  mkdir -p "$arriving/data" || fail "$arriving could not be made"
  find "$arriving" -type d ! -perm -700 -exec chmod u+rwx {} + 2>/dev/null
  sed -e 1,10d -e '$d' "$WORK/MANIFEST" | awk -v OFS="$TAB" '
    { rest = $0; for (i = 0; i < 5; i++) rest = substr(rest, index(rest, " ") + 1)
      if ($1 == "f") print rest, $1, $4, $3, $5, $2 }' | sort >"$WORK/wanted"
  true >"$WORK/present" || fail "no space to work in: $RUN"
  if inventory "$arriving/data" "$WORK/found" "$WORK/wanted"; then
    cut -f 1-6 "$WORK/found" | sort >"$WORK/there"
    sort "$WORK/wanted" "$WORK/there" | uniq -d | cut -f 1 >"$WORK/present"
  else
    discard "$arriving/data"
    mkdir "$arriving/data" || fail "$arriving could not be made"
  fi
  receive_room
  mv -f "$WORK/MANIFEST" "$arriving/MANIFEST.tmp" || fail "$arriving cannot be written"
  printf '{"sealed":false,"present":%d}\n' "$(wc -l <"$WORK/present")"
  cat "$WORK/present"
}

# receive_room: refuses what the volume cannot take besides what has come already.
receive_room() {
  room_needed=$(awk -F "$TAB" 'FILENAME == ARGV[1] { there[$1] = 1; next } !($1 in there) { bytes += 512 + int(($4 + 4095) / 4096) * 4096 }
    END { printf "%.0f\n", bytes + 4096 }' "$WORK/present" "$WORK/wanted")
  space_left
  [ "$space_free" -ge "$room_needed" ] || full "$room_needed" || fail "$refusal"
}

receive_files() {
  [ -f "$arriving/MANIFEST.tmp" ] || fail 'nothing has begun to arrive under this name'
  # What runs in a shell's background gets no standard input of its own accord.
  exec 3<&0
  mkdir -p "$RUN/arriving" || fail "no space to work in: $RUN"
  tar -xpof - -C "$arriving/data" <&3 >"$WORK/tar.out" 2>"$WORK/tar.err" &
  receive_tar=$!
  stream_mark=$RUN/arriving/$1.$receive_tar
  trap 'kill "$receive_tar" 2>/dev/null; rm -f "$stream_mark"; unlock "$arrival_lock"; end_work' EXIT
  true >"$stream_mark" || fail "no space to work in: $RUN"
  unlock "$arrival_lock"
  while kill -0 "$receive_tar" 2>/dev/null; do
    # Whoever lets go of the volume does not wait for a copy.
    [ ! -f "$RUN/released" ] || kill "$receive_tar"
    nap 0.1
  done
  wait "$receive_tar" || fail "the files could not be written: $(head -n 1 "$WORK/tar.err")"
  printf '{"received":true}\n'
}

receive_seal() {
  [ -f "$arriving/MANIFEST.tmp" ] || fail 'nothing has begun to arrive under this name'
  manifest_whole "$arriving/MANIFEST.tmp" || fail "the manifest of $1 is damaged"
  sync_one "$arriving" all || fail 'the volume did not take the checkpoint'
  true >"$WORK/different" || fail "no space to work in: $RUN"
  if ! matches_manifest "$arriving/data" "$arriving/MANIFEST.tmp"; then
    receive_different=$(awk '{ printf "%s%s", (NR > 1 ? ", " : ""), $0 }' "$WORK/different")
    discard "$arriving"
    fail "checkpoint $1 does not verify as it has arrived and was removed: $receive_different"
  fi
  now
  lock seal $((now + 50)) || fail 'a checkpoint is being sealed; try again'
  [ ! -f "$RUN/released" ] || fail 'the volume was released'
  # A folder that is renamed onto another one lands inside it.
  [ ! -e "$SEALED/$1" ] || fail "$1 lies there already"
  { mv "$arriving/MANIFEST.tmp" "$arriving/MANIFEST" && sync_one "$arriving/MANIFEST" && sync_one "$arriving" &&
    mv "$arriving" "$SEALED/$1" && sync_one "$SEALED"; } || fail "checkpoint $1 could not be given its name"
  printf '{%s}\n' "$(manifest_json "$SEALED/$1/MANIFEST" "$1")"
}
# [end]
