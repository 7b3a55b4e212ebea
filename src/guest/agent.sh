#!/bin/sh
# The spot agent: what runs inside the machine.
#
# Needs a POSIX shell, coreutils (or busybox, or the BSD tools of macOS), find, xargs, awk, sed; where a metadata endpoint
# is to be asked, one of curl, wget, python3 or node; where the volume comes as a device, mount, umount, blockdev, blkid
# and mkfs.ext4; tar for `pack`. Uses openssl (for speed) and perl or setsid (for a process group of the workload's own)
# when they are there.
#
# What stands between `# [only WORD...]` and `# [end]` is sent only to machines of which one of the words is true: what they
# are, who tells them of a notice, how their volume comes, what was ordered (boot-script.ts). Only functions and their variables
# stand there. Variables and functions whose names have an underscore get short names on the way (agent-text.ts): no text that
# somebody reads, and no file, has such a name in it.
#
# Every verb prints one line of JSON on stdout and talks on stderr, except where it says otherwise. One that could not do
# its work prints {"error":TEXT} and exits 7.
#   run                          boot: put the newest checkpoint back, start the workload, listen for notices
#   snapshot REASON [DEADLINE [soft]]
#                                run the checkpoint hook and seal a checkpoint on the volume; one that does not fit the deadline
#                                is not begun: {"error":TEXT,"fit":{...}}. `soft`: the deadline is the hook's alone
#   notice DEADLINE [KIND]       the controller heard of a reclaim first; same as having heard it here
#   notice none                  the controller takes back what it told
#   status                       what goes on
#   listen                       what a watch wants to hear of it: a line whenever that changes, and every ten seconds, until
#                                standard input ends
#   stop [SECONDS]               end the workload: SIGTERM, then SIGKILL
#   volume DEVICE [GB]           the volume has come under this name: mount it; format it only when it is blank
#   volume serial:TEXT [GB]      the same; it is the one disk that says this serial number
#   release                      end the workload and let go of the volume
#   sealed                       the whole checkpoints on the volume, newest first
#   verify ID                    hash a checkpoint on the volume against its manifest
#   pack ID                      a checkpoint as a tar stream on stdout
#   ready-http PORT PATH         whether something on this machine answers there
#   exec [--] ARG...             become a command with the workload's environment and folder
# Verbs that begin with an underscore are the agent calling itself.
#
# One `run` process supervises; hooks and seals are processes of their own, so that neither a slow disk nor a hanging
# hook can keep it from hearing a notice; nor can a cloud's metadata service, which another process asks (`_listen`). They
# share only small files below $RUN, each with one writer, put there by rename. Times are epoch seconds.

set -u

AGENT_VERSION=1
ROOT=${SPOT_ROOT-}
LIB=$ROOT/var/lib/spot
RUN=$ROOT/run/spot
CKPT=$LIB/checkpoint
AGENT=$0
# How often the supervisor looks around, in seconds: a notice that was heard must reach the hook within one second.
POLL=0.3
# How often a cloud's metadata service is asked where it cannot say by itself when something changes: as AWS wants it.
ASK_EVERY=5
# How long a read that waits for a change may take.
WAIT_SECONDS=50
# How often a checkpoint is read again when its files change meanwhile.
MOST_TRIES=5
# How long a hook may take when no deadline presses.
HOOK_SECONDS=300
# Bytes a second that a seal is reckoned with before one was measured: what Compute Engine gives a balanced disk of 180 GB. Most
# disks are faster (EC2's gp3: 125 MB/s), and a checkpoint that is tried too boldly costs the last seconds of the workload.
FIRST_PACE=50000000
# A smaller checkpoint says nothing of the disk: it is over in the time that the programs take to start.
TELLING_BYTES=8388608

# Our tools speak plain bytes; the workload gets its own locale back.
USER_LC_ALL=${LC_ALL-unset}
LC_ALL=C
export LC_ALL

# What choose_hasher chose for.
hasher_for=

NL='
'
TAB=$(printf '\t')

# ---------------------------------------------------------------- saying, keeping

say() { printf 'spot: %s\n' "$*" >&2; }

# json_string TEXT: a JSON string; newlines and their like become spaces.
json_string() { printf '"%s"' "$(printf %s "$1" | tr '\001-\037' ' ' | sed 's/["\\]/\\&/g')"; }

# put KEY VALUE: a reader sees the old value or the new one.
put() { printf '%s\n' "$2" >"$RUN/.$1.$$" && mv -f "$RUN/.$1.$$" "$RUN/$1"; }

# get KEY: sets $value, to nothing when there is none.
get() {
  value=
  if [ -r "$RUN/$1" ]; then IFS= read -r value <"$RUN/$1" || :; fi
}

now() { now=$(date +%s); }

# Hundredths of a second since some moment; only differences mean something.
ticks() {
  if [ -r /proc/uptime ]; then
    read -r ticks _ </proc/uptime
    ticks=${ticks%.*}${ticks#*.}
  else
    ticks=$(date +%s)00
  fi
}

nap() { sleep "$1" 2>/dev/null || sleep 1; }

is_number() { case $1 in '' | *[!0-9]*) return 1 ;; esac; }

# ---------------------------------------------------------------- the tools' spellings

# Kind and rights, octal mode, size, mtime, inode, change time in all the digits there are, name. find's `.//.` puts
# a `//` at the head of every name and nowhere else, so that names with newlines can be told apart.
if find / -maxdepth 0 -printf '' 2>/dev/null; then
  stat_all() { find .//. \( -type f -o -type d -o -type l \) -printf '%M %m %s %T@ %i %T@ - %p\n'; }
else
  stat_all() { find .//. \( -type f -o -type d -o -type l \) -exec stat -c '%A %a %s %Y %i %y %n' {} +; }
fi
# [only process]
# macOS.
if ! stat -c %s / >/dev/null 2>&1; then
  stat_all() { find .//. \( -type f -o -type d -o -type l \) -exec stat -f '%Sp %Mp%Lp %z %m %i %Fm 0 0 %N' {} +; }
fi
# [end]

# sync_one PATH [all]: makes one file or folder durable, or all that was written to the file system that holds it.
sync_one() {
  case $(sync --help 2>&1) in
    *-f*) sync ${2:+-f} "$1" ;;
    *) sync ;;
  esac
}

# The fastest SHA-256 that prints `<hex> *<name>` or `<hex>  <name>`. openssl uses the processor's own instructions
# where coreutils may not, but cannot be trusted with newlines in names: $1 is `odd` when there are some.
choose_hasher() {
  hasher_for=$1
  if [ "$1" != odd ] && [ "$(openssl dgst -sha256 -r /dev/null 2>/dev/null | cut -c1-8)" = e3b0c442 ]; then
    HASHER='openssl dgst -sha256 -r'
  elif command -v sha256sum >/dev/null 2>&1; then
    HASHER=sha256sum
  else
    HASHER='shasum -a 256'
  fi
}

# The SHA-256 of standard input.
hash_stdin() {
  [ "${hasher_for-}" = plain ] || choose_hasher plain
  $HASHER | cut -c1-64
}

processors() { getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null || echo 2; }

# ---------------------------------------------------------------- what a folder holds

# describe FOLDER LIST: one sorted line an entry: path, kind, mode, size, mtime, identity; tabs between them.
# In paths, backslash, newline and tab are written \\, \n and \t.
describe() {
  (cd "$1" && stat_all) >"$2.raw" || return 1
  awk '
    function plain(text) {
      if (text ~ /[\\\t]/) { gsub(/\\/, "&&", text); gsub(/\t/, "\\t", text) }
      return text
    }
    function done() {
      if (path == "") return
      kind = substr(field[1], 1, 1)
      kind = kind == "-" ? "f" : kind
      size = kind == "f" ? field[3] : 0
      sub(/\..*/, "", field[4])
      print path "\t" kind "\t" (field[2] + 0) "\t" size "\t" field[4] "\t" (kind == "d" ? "-" : field[5] "." field[6] "." field[7])
    }
    { at = index($0, " .//.")
      if (at) { done(); split(substr($0, 1, at), field, " "); path = plain(substr($0, at + 6)) }
      else path = path "\\n" plain($0) }
    END { done() }' "$2.raw" | sort >"$2"
}

# hash_tree FOLDER EXPECTED OUT: `path<tab>sha256` for each file of the folder, several at a time.
hash_tree() {
  tree_files=$(awk -F "$TAB" '$2 == "f"' "$2" | wc -l)
  if grep -q '\\n' "$2"; then choose_hasher odd; else choose_hasher plain; fi
  tree_jobs=$(processors)
  tree_batch=$((tree_files / (tree_jobs * 4) + 1))
  [ "$tree_batch" -gt 5000 ] && tree_batch=5000
  mkdir -p "$3.d" && : >"$3.d/0" || return 1
  # Each process writes a file of its own: lines of several writers on one pipe could be torn.
  # shellcheck disable=SC2016 # the variables are the inner shell's
  (cd "$1" && find .//. -type f -print0 |
    xargs -0 -n "$tree_batch" -P "$tree_jobs" sh -c 'out=$1 && shift && tool=$1 && shift && $tool "$@" >>"$out/$$"' sh "$3.d" "$HASHER") || return 1
  awk '
    function plain(text,   out, c, i) {
      out = ""
      for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "\t") c = "\\t"
        else if (c == "\\" && !escaped) c = "\\\\"
        else if (c == "\\") { i++; c = c substr(text, i, 1); if (c == "\\r") c = "\r" }
        out = out c
      }
      return out
    }
    function tidy(text) { return text ~ /[\\\t]/ ? plain(text) : text }
    function done() { if (sum != "") print path "\t" sum }
    { at = index($0, ".//./")
      if (at) {
        done()
        escaped = substr($0, 1, 1) == "\\"
        sum = substr($0, escaped + 1, 64)
        path = tidy(substr($0, at + 5))
      } else path = path "\\n" tidy($0) }
    END { done() }' "$3.d"/* >"$3"
  rm -rf "$3.d"
}

# escaped TEXT: as in a manifest.
escaped() {
  case $1 in
    *\\* | *"$NL"* | *"$TAB"*)
      # The dot keeps a newline at the end from being lost.
      escaped=$(printf '%s.' "$1" | awk '{ gsub(/\\/, "&&"); gsub(/\t/, "\\t"); if (NR > 1) printf "\\n"; printf "%s", $0 }')
      escaped=${escaped%.}
      ;;
    *) escaped=$1 ;;
  esac
}

# link_targets FOLDER: `path<tab>target` for each symbolic link.
link_targets() {
  (cd "$1" && find .//. -type l -exec sh "$AGENT" _links {} +)
}

verb__links() {
  for link in "$@"; do
    link_target=$(readlink "$link" && printf .) || return 1
    link_target=${link_target%.}
    escaped "${link#.//./}"
    printf '%s\t' "$escaped"
    escaped "${link_target%"$NL"}"
    printf '%s\n' "$escaped"
  done
}

# inventory FOLDER OUT EXPECTED: sorted `path kind mode size mtime content`, tabs between; content is the hash of a file,
# the target of a link, `-` for a folder. EXPECTED lists about what the folder holds, path and kind, to plan by.
# Fails when a file could not be read.
inventory() {
  describe "$1" "$2.list" &
  inventory_list=$!
  hash_tree "$1" "$3" "$2.hash"
  inventory_code=$?
  wait "$inventory_list" || return 1
  [ "$inventory_code" -eq 0 ] || return 1
  : >"$2.link"
  if awk -F "$TAB" '$2 == "l" { found = 1 } END { exit !found }' "$2.list"; then link_targets "$1" >"$2.link" || return 1; fi
  awk -F "$TAB" -v OFS="$TAB" '
    FILENAME == ARGV[1] || FILENAME == ARGV[2] { content[$1] = $2; next }
    $2 == "d" { print $1, $2, $3, $4, $5, "-"; next }
    $1 in content { print $1, $2, $3, $4, $5, content[$1]; next }
    { missing = 1 }
    END { exit missing }' "$2.hash" "$2.link" "$2.list" >"$2"
}

# ---------------------------------------------------------------- locks

# lock NAME UNTIL: waits for it until then. A lock is a symbolic link whose target is its owner's pid, so that taking
# it and saying who took it are one step.
lock() {
  lock_waits=0
  while ! ln -s "$$" "$RUN/$1.lock" 2>/dev/null; do
    lock_owner=$(readlink "$RUN/$1.lock") || lock_owner=
    if [ -n "$lock_owner" ] && ! kill -0 "$lock_owner" 2>/dev/null; then
      # Its owner died. One at a time may clear it away, and only while it is still that owner's.
      if mkdir "$RUN/$1.break" 2>/dev/null; then
        [ "$(readlink "$RUN/$1.lock")" = "$lock_owner" ] && rm -f "$RUN/$1.lock"
        rmdir "$RUN/$1.break"
        continue
      fi
    fi
    now
    [ "$now" -ge "$2" ] && return 1
    lock_waits=$((lock_waits + 1))
    # Whoever was clearing may have died as well.
    [ $((lock_waits % 50)) -eq 0 ] && rmdir "$RUN/$1.break" 2>/dev/null
    nap 0.1
  done
}

holds() { [ "$(readlink "$RUN/$1.lock" 2>/dev/null)" = "$$" ]; }

unlock() { holds "$1" && rm -f "$RUN/$1.lock"; }

# Each process that seals, restores or runs a hook works in a folder of its own and cleans up however it ends.
begin_work() {
  WORK=$RUN/work.$$
  PARTIAL=
  rm -rf "$WORK"
  mkdir -p "$WORK" || return 1
  trap 'end_work' EXIT
  trap 'exit 143' TERM INT HUP
}

end_work() {
  trap - EXIT
  [ -n "$PARTIAL" ] && discard "$PARTIAL"
  # A hook that nobody waits for any more must not run beside the next one.
  if holds hook && get hook-pid && is_number "$value"; then signal_tree KILL "$value"; fi
  unlock seal
  unlock hook
  unlock volume
  rm -rf "$WORK"
}

# Removes a folder even where the workload made parts of it read-only.
discard() {
  [ -e "$1" ] || return 0
  rm -rf "$1" 2>/dev/null && return 0
  find "$1" -type d ! -perm -700 -exec chmod u+rwx {} + 2>/dev/null
  rm -rf "$1"
}

# ---------------------------------------------------------------- settings

load_settings() {
  SPOT_SET_MACHINE=process SPOT_SET_NOTICES=local SPOT_SET_ENDS_ITSELF=yes SPOT_SET_VOLUME_COMES=mounted
  SPOT_SET_INSTANCE='' SPOT_SET_VOLUME_NAME='' SPOT_SET_VOLUME_MOUNT='' SPOT_SET_WORKDIR=''
  SPOT_SET_HOOK='' SPOT_SET_EVERY='' SPOT_SET_TTL_ENDS_AT='' SPOT_SET_IDLE='' SPOT_SET_IDLE_BY='' SPOT_SET_NOTICE_SECONDS=''
  if [ ! -r "$LIB/settings.env" ]; then
    say "no settings at $LIB/settings.env"
    return 1
  fi
  # shellcheck source=/dev/null
  . "$LIB/settings.env"
  VOLUME=
  if [ -n "$SPOT_SET_VOLUME_MOUNT" ]; then VOLUME=$ROOT$SPOT_SET_VOLUME_MOUNT; fi
  SEALED=$VOLUME/spot/checkpoints
  PACES=$VOLUME/spot/pace
}

# refuse TEXT: the reason why nothing was sealed or mounted; the caller returns 7 with it.
refuse() {
  refusal=$1
  return 7
}

# ---------------------------------------------------------------- the volume

# volume_there: whether what lies at the mount point is the volume. A checkpoint on the disk below it would be lost with
# the machine.
volume_there() {
  [ -d "$VOLUME/" ] || return 1
  [ "$SPOT_SET_MACHINE" = process ] && return 0
  # A mounted file system has a device number of its own.
  if [ -z "$ROOT" ] && [ "$(stat -c %d "$VOLUME/" 2>/dev/null)" = "$(stat -c %d / 2>/dev/null)" ]; then return 1; fi
  [ "$SPOT_SET_VOLUME_COMES" = mounted ] && return 0
  get volume
  [ -n "$value" ] && marker_is "$value"
}

# [only device]
# The volume says of itself which one it is; the folder below the mount point does not.
marker_is() { [ "$(cat "$VOLUME/spot/volume" 2>/dev/null)" = "$1" ]; }

# probe DEVICE: sets $found_usage, $found_uuid and $found_table to what the disk says of itself, each to nothing when it
# says nothing. Fails when blkid is not sure.
probe() {
  probe_said=$(blkid -p -o export "$1" 2>/dev/null </dev/null)
  case $? in 0) ;; 2) probe_said= ;; *) return 1 ;; esac
  found_usage=$(printf '%s\n' "$probe_said" | sed -n 's/^USAGE=//p')
  found_uuid=$(printf '%s\n' "$probe_said" | sed -n 's/^UUID=//p')
  found_table=$(printf '%s\n' "$probe_said" | sed -n 's/^PTTYPE=//p')
}

# zeros DEVICE BLOCK: whether the MiB that begins at this block of 512 bytes could be read and is all zeros.
zeros() { [ "$(dd if="$1" bs=512 skip="$2" count=2048 2>/dev/null | tr '\n\000' '0\n' | wc -l)" -eq 1048576 ]; }

# is_blank DEVICE: for a disk without a signature. What cannot be read is not blank.
is_blank() {
  blank_bytes=$(blockdev --getsize64 "$1" 2>/dev/null </dev/null)
  is_number "$blank_bytes" && [ "$blank_bytes" -ge 4194304 ] && zeros "$1" 0 && zeros "$1" $((blank_bytes / 512 - 2048))
}

# partitions DISK: sets $parts to how many it has and $part to the last one. The kernel puts a `p` after a digit.
partitions() {
  case $1 in *[0-9]) part_name=$1p ;; *) part_name=$1 ;; esac
  parts=0
  for part_node in "$part_name"[0-9] "$part_name"[0-9][0-9] "$part_name"[0-9][0-9][0-9]; do
    if [ -e "$part_node" ]; then parts=$((parts + 1)) part=$part_node; fi
  done
}

# choose_part DISK: sets $part to what is to be mounted and $formatted; makes a file system on a blank disk and on
# nothing else. Returns 7 with $refusal.
choose_part() {
  part=$1 formatted=false
  in_use=$(awk -v disk="$(readlink -f "$1")" '
    BEGIN { part = disk ~ /[0-9]$/ ? "^(p[0-9]+)?$" : "^[0-9]*$" }
    index($1, disk) == 1 && substr($1, length(disk) + 1) ~ part { print $2; exit }' /proc/mounts 2>/dev/null)
  [ -z "$in_use" ] || refuse "$device is mounted at $in_use: it is not the volume" || return
  probe "$1" || refuse "$device: blkid cannot say what is on it; nothing was changed" || return
  if [ -n "$found_table" ]; then
    # The nodes of partitions come a moment after the disk's.
    part_waits=0
    while partitions "$1" && [ "$parts" -eq 0 ] && [ "$part_waits" -lt 50 ]; do
      part_waits=$((part_waits + 1))
      nap 0.1
    done
    [ "$parts" -eq 1 ] || refuse "$device has a partition table ($found_table) with $parts partitions, not the one of a volume; nothing was changed" || return
    probe "$part" || refuse "$device: blkid cannot say what is on its partition; nothing was changed" || return
  elif [ -z "$found_usage" ] && is_blank "$1"; then
    say "$device is blank: making a file system (ext4) on it"
    mkfs.ext4 -q -L spot -m 0 "$1" </dev/null >&2 || refuse "$device: mkfs.ext4 failed" || return
    sync
    formatted=true
    probe "$1" || refuse "$device: blkid does not see the new file system" || return
  fi
  [ "$found_usage" = filesystem ] || refuse "$device is not blank and holds no file system${found_usage:+ but $found_usage}: it is not formatted, nothing was changed" || return
  [ -n "$found_uuid" ] || refuse "$device: its file system has no UUID" || return
}

# mount_part NODE UUID: mounts it, and remembers it for this boot and the next. Wants the lock.
mount_part() {
  mkdir -p "$VOLUME" && mount "$1" "$VOLUME" </dev/null >&2 || refuse "$device could not be mounted at $SPOT_SET_VOLUME_MOUNT" || return
  if ! marker_is "$2"; then
    if ! { mkdir -p "$VOLUME/spot" && printf '%s\n' "$2" >"$VOLUME/spot/volume" && sync_one "$VOLUME/spot/volume"; }; then
      umount "$VOLUME"
      refuse "$device was mounted, but nothing can be written on it"
      return
    fi
  fi
  printf '%s %s\n' "$2" "$SPOT_SET_VOLUME_NAME" >"$LIB/volume.tmp" && mv -f "$LIB/volume.tmp" "$LIB/volume" && sync_one "$LIB/volume"
  put volume-device "$1"
  put volume "$2"
  say "mounted $device at $SPOT_SET_VOLUME_MOUNT"
}

# lacks_volume: whether the workload has to wait for its volume. The file system that was mounted at an earlier boot is
# mounted again as soon as it is there, whatever its disk is called now.
lacks_volume() {
  [ -n "$VOLUME" ] || return 1
  if ! volume_there; then
    [ -f "$RUN/awaits" ] || { put awaits volume && say 'waiting for the volume'; }
    { [ -r "$LIB/volume" ] && read -r known_uuid known_name <"$LIB/volume"; } || return 0
    # blkid's own cache remembers what a name was before the reboot. Two that claim to be it are told apart by nobody here.
    [ "$known_name" = "$SPOT_SET_VOLUME_NAME" ] && known_part=$(blkid -c /dev/null -t "UUID=$known_uuid" -o device 2>/dev/null) || return 0
    case $known_part in *"$NL"*) return 0 ;; esac
    lock volume "$now" || return 0
    # The agent was started again and the volume has stayed.
    if marker_is "$known_uuid"; then
      put volume-device "$known_part"
      put volume "$known_uuid"
    else
      device=${known_part#"$ROOT"}
      mount_part "$known_part" "$known_uuid" || say "$refusal"
    fi
    unlock volume
    volume_there || return 0
  fi
  rm -f "$RUN/awaits"
  return 1
}

# [end]

# ---------------------------------------------------------------- sealing

# The bytes that the entries of list $1 take on a disk with blocks of 4 kB, with the manifest's share.
space_needed() {
  awk -F "$TAB" '{ bytes += 512 + length($1); if ($2 == "f") bytes += int(($4 + 4095) / 4096) * 4096; else bytes += 4096 }
    END { printf "%.0f\n", bytes + 4096 }' "$1"
}

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
  id_stamp=$(date -u +%Y%m%dT%H%M%SZ)
  id_count=0
  for id_other in "$SEALED"/c-*; do :; done
  id_other=${id_other##*/c-}
  case $id_other in
    [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f])
      id_other_stamp=${id_other%%-*}
      if [ "$(printf '%s\n%s\n' "$id_stamp" "$id_other_stamp" | sort | tail -n 1)" = "$id_other_stamp" ]; then
        id_stamp=$id_other_stamp
        id_other=${id_other#*-}
        id_count=$((0x${id_other%????} + 1))
      fi
      ;;
  esac
  id=c-$id_stamp-$(printf '%04x' "$id_count")$(od -An -N2 -tx1 /dev/urandom | tr -d ' \n')
}

# The workload's own word for how far it is: the first line of a file STEP, made harmless.
read_step() {
  step=
  if [ -f "$1/STEP" ]; then step=$(head -c 256 "$1/STEP" 2>/dev/null | head -n 1 | tr -cd 'A-Za-z0-9._:+/=, -' | cut -c1-64 | sed 's/^ *//; s/ *$//'); fi
}

# freeze LIST: hard links to the checkpoint folder as it is now, and their list. Links are made one after the other, so
# a workload that replaces two files may do it in between: what was frozen is compared with what lies there afterwards.
# A workload that is never still for so long gets files that are each whole.
freeze() {
  freeze_try=0
  while :; do
    discard "$LIB/.freeze"
    cp -pPRl "$CKPT" "$LIB/.freeze" 2>/dev/null || return 1
    describe "$LIB/.freeze" "$1" && describe "$CKPT" "$WORK/live" || return 1
    cmp -s "$1" "$WORK/live" && return 0
    freeze_try=$((freeze_try + 1))
    [ "$freeze_try" -ge "$MOST_TRIES" ] && return 0
  done
}

# copy_steadily LIST: copies the checkpoint folder into $PARTIAL/data. Whatever changed meanwhile makes it begin again.
# The second and later tries copy from hard links, so that a workload that replaces its files by rename cannot disturb.
copy_steadily() {
  copy_try=0
  copy_from=$CKPT
  while :; do
    mkdir "$PARTIAL/data" || return 1
    # A write in the same tick of the file system's clock as the list would go unseen.
    nap 0.01
    cp -pPR "$copy_from/." "$PARTIAL/data/" 2>"$WORK/copy.err"
    copy_code=$?
    describe "$copy_from" "$WORK/after" || copy_code=1
    if [ "$copy_code" -eq 0 ] && cmp -s "$1" "$WORK/after"; then break; fi
    if grep -q 'No space left\|quota exceeded' "$WORK/copy.err"; then
      space_left
      full
      return 1
    fi
    copy_try=$((copy_try + 1))
    if [ "$copy_code" -ne 0 ] && cmp -s "$1" "$WORK/after"; then
      refuse "the checkpoint could not be copied: $(head -n 1 "$WORK/copy.err")"
      return 1
    fi
    if [ "$copy_try" -ge "$MOST_TRIES" ]; then
      copy_name=$(sort "$1" "$WORK/after" | uniq -u | awk -F "$TAB" '$2 != "d" || NR == 1 { name = $1 } $2 != "d" { exit } END { print name }')
      refuse "$copy_name kept changing while it was read ($copy_try tries); write checkpoints under another name and rename them"
      return 1
    fi
    discard "$PARTIAL/data"
    if freeze "$1"; then
      copy_from=$LIB/.freeze
    else
      copy_from=$CKPT
      nap 0.5
      describe "$copy_from" "$1" || return 1
    fi
  done
  discard "$LIB/.freeze"
  # Sockets, pipes and devices are no content.
  find "$PARTIAL/data" ! -type f ! -type d ! -type l -exec rm -f {} +
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
  describe "$CKPT" "$WORK/before" || refuse "$CKPT could not be read" || return
  if [ ! -s "$WORK/before" ]; then
    sealed='{"empty":true}'
    return 0
  fi
  if get_sealed && cmp -s "$WORK/before" "$LIB/sealed.list"; then
    sealed="{$sealed_json,\"unchanged\":true}"
    return 0
  fi
  seal_needs=$(space_needed "$WORK/before")
  fits || return
  mkdir -p "$SEALED" || refuse "$SEALED could not be made: $(mkdir -p "$SEALED" 2>&1)" || return
  for seal_old in "$SEALED"/.partial-*; do discard "$seal_old"; done
  space_left
  [ "$space_free" -ge "$seal_needs" ] || full "$seal_needs" || return
  new_id
  PARTIAL=$SEALED/.partial-$id
  seal_fill "$1"
  seal_code=$?
  if [ "$seal_code" -ne 0 ]; then
    discard "$PARTIAL"
    PARTIAL=
    return 7
  fi
  seal_record "$1"
}

# Fills $PARTIAL and gives it its name.
seal_fill() {
  mkdir "$PARTIAL" 2>"$WORK/copy.err" || refuse "$(head -n 1 "$WORK/copy.err")" || return
  copy_steadily "$WORK/before" || return
  # The disk is busy with the one, the processors with the other.
  (sync_one "$PARTIAL" all 2>"$WORK/sync.err" && : >"$WORK/synced") &
  seal_sync=$!
  inventory "$PARTIAL/data" "$WORK/sealed" "$WORK/before"
  seal_code=$?
  wait "$seal_sync"
  [ -f "$WORK/synced" ] || refuse "the volume did not take the checkpoint: $(head -n 1 "$WORK/sync.err")" || return
  rm -f "$WORK/synced"
  [ "$seal_code" -eq 0 ] || refuse 'the copy on the volume could not be read back' || return
  cut -f 1,2,4 "$WORK/before" >"$WORK/wanted"
  cut -f 1,2,4 "$WORK/sealed" | cmp -s - "$WORK/wanted" || refuse 'the copy on the volume differs from what was to be sealed' || return
  # A limit that is no disk's own may have been passed.
  space_left
  [ "$space_free" -ge 0 ] || full || return
  read_step "$PARTIAL/data"
  now
  write_manifest "$WORK/sealed" "$1" 2>"$WORK/copy.err" || refuse "the manifest could not be written: $(head -n 1 "$WORK/copy.err")" || return
  mv "$PARTIAL/MANIFEST.tmp" "$PARTIAL/MANIFEST" && sync_one "$PARTIAL" &&
    mv "$PARTIAL" "$SEALED/$id" && PARTIAL= && sync_one "$SEALED"
}

# remember_sealed: that what $WORK/before lists is checkpoint $id, so that the same state is not sealed twice.
remember_sealed() {
  sealed_json=$(manifest_json "$SEALED/$id/MANIFEST" "$id")
  printf '%s\n%s\n' "$id" "$sealed_json" >"$LIB/sealed.last.tmp" && mv -f "$LIB/sealed.last.tmp" "$LIB/sealed.last"
  cp "$WORK/before" "$LIB/sealed.list.tmp" && mv -f "$LIB/sealed.list.tmp" "$LIB/sealed.list"
  put last-checkpoint "$id"
  put needs "$(space_needed "$WORK/before")"
}

# Keeps what the next deadline is planned with, and says it.
seal_record() {
  remember_sealed
  ticks
  seal_took=$((ticks - seal_began))
  seal_seconds=$((seal_took / 100)).$(printf %02d $((seal_took % 100)))
  put last-seal "$seal_seconds"
  # It belongs to the disk, which outlives the machine. A full one loses it.
  if [ "$seal_needs" -ge "$TELLING_BYTES" ]; then
    { tail -n 2 "$PACES"; echo $((seal_needs * 100 / (seal_took + 1))); } >"$WORK/paces" 2>/dev/null
    cp "$WORK/paces" "$PACES.tmp" 2>/dev/null && mv -f "$PACES.tmp" "$PACES"
  fi
  sealed="{$sealed_json,\"unchanged\":false}"
  say "sealed $id ($1, $seal_seconds s)"
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

# ---------------------------------------------------------------- processes: the workload, the hook

# lead COMMAND…: becomes the command, leader of a process group of its own where that can be had. The shell's own
# background jobs ignore SIGINT; the workload shall not.
lead() {
  restore_locale
  if [ -d /proc/self ]; then
    if perl -e 1 2>/dev/null; then
      # shellcheck disable=SC2016 # perl's own variables
      exec perl -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; setpgrp(0, 0); exec {$ARGV[0]} @ARGV or exit 127' "$@"
    fi
    command -v setsid >/dev/null 2>&1 && exec setsid "$@"
  fi
  exec "$@"
}

# signal_tree SIGNAL PID: the whole group, or where there is none the process and its descendants.
signal_tree() {
  kill "-$1" "-$2" 2>/dev/null && return 0
  signal_pids=$(ps -A -o pid= -o ppid= 2>/dev/null | awk -v top="$2" '
    { parent[$1] = $2 }
    END { for (p in parent) { q = p; for (n = 0; q != top && (q in parent) && n < 64; n++) q = parent[q]; if (q == top) print p } }')
  # shellcheck disable=SC2086 # a list of pids
  kill -s "$1" ${signal_pids:-$2} 2>/dev/null
}

# What workload and hook find in their environment.
workload_environment() {
  if [ "$SPOT_SET_MACHINE" != process ]; then HOME=${HOME:-$ROOT/root} && export HOME; fi
  spot_environment
  get restored-from
  SPOT_INSTANCE=$SPOT_SET_INSTANCE SPOT_CHECKPOINT_DIR=$CKPT SPOT_VOLUME_DIR=$VOLUME SPOT_RESTORED_FROM=$value
  SPOT_NOTICE_FILE=$RUN/notice.json
  export SPOT_INSTANCE SPOT_CHECKPOINT_DIR SPOT_VOLUME_DIR SPOT_RESTORED_FROM SPOT_NOTICE_FILE
  if [ -n "$SPOT_SET_WORKDIR" ]; then
    cd "$SPOT_SET_WORKDIR" || exit 126
  elif [ "$SPOT_SET_MACHINE" = vm ]; then
    # A container's image has a folder of its own for this.
    cd "$ROOT/root" 2>/dev/null || cd "$ROOT/" || exit 126
  fi
}

verb__workload() {
  put workload-pid "$$"
  load_settings || exit 126
  restore_locale
  workload_environment
  # For `exec`, which comes from elsewhere.
  (umask 077 && export -p >"$RUN/environment")
  spot_command
}

verb__hook() {
  put hook-pid "$$"
  load_settings || exit 126
  restore_locale
  workload_environment
  SPOT_REASON=$1 SPOT_DEADLINE=$2
  export SPOT_REASON SPOT_DEADLINE
  exec sh -c "$SPOT_SET_HOOK"
}

# This process was started with the workload's locale; give it back before it becomes the workload.
restore_locale() { if [ "$USER_LC_ALL" = unset ]; then unset LC_ALL; else LC_ALL=$USER_LC_ALL; fi; }

# run_hook REASON DEADLINE SECONDS: the workload's own way to write a checkpoint, ended when it takes longer.
run_hook() {
  [ -n "$SPOT_SET_HOOK" ] || return 0
  [ -f "$RUN/workload-pid" ] && [ ! -f "$RUN/exit-code" ] || return 0
  get hook-done
  [ "$1" = notice ] && [ "$value" = "notice $2" ] && return 0
  now
  hook_until=$((now + $3))
  lock hook "$hook_until" || { say 'another checkpoint hook has not ended; not waiting for it'; return 1; }
  put hook-done "$1 $2"
  rm -f "$RUN/hook-pid" "$WORK/hook.code"
  (
    (lead sh "$AGENT" _hook "$1" "$2") >"$RUN/hook.log" 2>&1 </dev/null
    echo "$?" >"$WORK/hook.code"
  ) &
  hook_shell=$!
  while [ ! -s "$WORK/hook.code" ] && kill -0 "$hook_shell" 2>/dev/null; do
    now
    if [ "$now" -ge "$hook_until" ]; then
      say "the checkpoint hook took longer than its $3 s; ending it"
      get hook-pid
      if is_number "$value"; then
        signal_tree TERM "$value"
        nap 0.3
        signal_tree KILL "$value"
      fi
      break
    fi
    nap 0.1
  done
  # One that hangs in the kernel outlives its end.
  hook_waits=0
  while kill -0 "$hook_shell" 2>/dev/null && [ "$hook_waits" -lt 20 ]; do
    hook_waits=$((hook_waits + 1))
    nap 0.1
  done
  hook_code=
  [ -s "$WORK/hook.code" ] && read -r hook_code <"$WORK/hook.code"
  tail -c 16384 "$RUN/hook.log" >&2
  [ "$hook_code" = 0 ] || say "the checkpoint hook ended with ${hook_code:-no exit code}"
  unlock hook
}

# ---------------------------------------------------------------- asking by HTTP

# http METHOD URL HEADER [SECONDS]: prints the body and leaves the head of the answer in $http_head. Returns 0 on 2xx, 3 when
# it was refused (401, 403), 4 on 404, 5 when no program here can ask this way, 1 on anything else. The header carries a
# secret, so it travels by file or environment, where the program allows it, and never by argv.
http() {
  for http_program in curl wget python3 node; do
    if command -v "$http_program" >/dev/null 2>&1 && command -v "http_$http_program" >/dev/null; then
      "http_$http_program" "$1" "$2" "$3" "${4:-3}"
      http_result=$?
      [ "$http_result" = 5 ] || return "$http_result"
    fi
  done
  return 5
}

# http_status CODE: as `http` returns it.
http_status() { case $1 in 2??) return 0 ;; 401 | 403) return 3 ;; 404) return 4 ;; *) return 1 ;; esac; }

http_curl() {
  http_answer=$(printf 'url = "%s"\nrequest = "%s"\nheader = "%s"\n' "$2" "$1" "$3" |
    curl -q -s -m "$4" --noproxy '*' -D "$http_head" -w '\n%{http_code}' -K - 2>/dev/null) || return 1
  http_status "${http_answer##*"$NL"}" || return
  printf '%s\n' "${http_answer%"$NL"*}"
}

http_wget() {
  http_body=
  case $(wget --help 2>&1) in
    *GNU*)
      case $1 in POST) http_body=--post-data= ;; PUT) http_body=--method=PUT ;; esac
      (umask 077 && printf 'header = %s\ntries = 1\nuse_proxy = off\nmax_redirect = 0\n' "$3" >"$http_head.rc")
      http_answer=$(WGETRC=$http_head.rc wget -q -S -T "$4" -O - ${http_body:+"$http_body"} "$2" 2>"$http_head")
      ;;
    *)
      [ "$1" != PUT ] || return 5
      # busybox takes the header in argv only, and not every build of it knows a time limit.
      if [ "$1" = POST ]; then http_body=yes; fi
      http_limit=
      if command -v timeout >/dev/null 2>&1; then http_limit="timeout $4"; fi
      http_answer=$($http_limit wget -q -S -Y off -O - --header "$3" ${http_body:+--post-data ''} "$2" 2>"$http_head")
      ;;
  esac && printf '%s\n' "$http_answer" && return
  http_status "$(sed -n 's/.*HTTP\/[0-9.]* \([0-9]*\).*/\1/p' "$http_head" | tail -n 1)" && return 1
}

# Without indentation: it is taken away on the way to the machine.
http_python3() {
  SPOT_HTTP_HEADER=$3 python3 -I -c '
import os, sys, urllib.request, urllib.error
method, url, seconds, head = sys.argv[1:]
name, value = os.environ["SPOT_HTTP_HEADER"].split(": ", 1)
request = urllib.request.Request(url, method=method, headers={name: value}, data=b"" if method == "POST" else None)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try: answer = opener.open(request, timeout=float(seconds)); print(answer.read().decode()); open(head, "w").write(str(answer.headers))
except urllib.error.HTTPError as error: sys.exit({401: 3, 403: 3, 404: 4}.get(error.code, 1))
except Exception: sys.exit(1)' "$1" "$2" "$4" "$http_head" 2>/dev/null
}

# [only process container]
# On the embedded cloud node is always there: it runs the cloud.
http_node() {
  # shellcheck disable=SC2016 # the dollars are node's
  SPOT_HTTP_HEADER=$3 NODE_OPTIONS='' node -e '
    const [method, url] = process.argv.slice(1);
    const [, name, value] = /^([^:]+): (.*)$/.exec(process.env.SPOT_HTTP_HEADER);
    const request = require("http").request(url, { method, headers: { [name]: value }, timeout: 3000 }, (response) => {
      const code = response.statusCode;
      if (code === 404 || code >= 300) process.exit(code === 404 ? 4 : 1);
      response.pipe(process.stdout);
      response.on("end", () => console.log());
    });
    request.on("timeout", () => process.exit(1));
    request.on("error", () => process.exit(1));
    request.end();' "$1" "$2" 2>/dev/null
}
# [end]

# ---------------------------------------------------------------- the metadata service

# The one table of how each cloud tells, one row a cloud: `read_notice_CLOUD` sets $heard to `KIND DEADLINE`. It returns 4
# when there is no notice, 1 when nobody knows. `terminate_CLOUD`: the machine ends itself.
read_notice() { "read_notice_$SPOT_SET_NOTICES"; }
terminate() { "terminate_$SPOT_SET_NOTICES"; }

# [only local]
# Where the endpoint is and the token for it. Read every time: the port may change.
load_metadata() {
  metadata_url='' metadata_token=''
  [ -r "$ROOT/metadata.env" ] || return 1
  while IFS= read -r metadata_line; do
    case $metadata_line in
      SPOT_METADATA_URL=*) metadata_url=${metadata_line#*=} ;;
      SPOT_METADATA_TOKEN=*) metadata_token=${metadata_line#*=} ;;
    esac
  done <"$ROOT/metadata.env"
  [ -n "$metadata_url" ]
}

read_notice_local() {
  load_metadata || return 1
  heard=$(http GET "$metadata_url/metadata/v1/notice" "X-Spot-Token: $metadata_token") || return
  heard=$(printf '%s\n' "$heard" | sed -n 's/.*"kind":"\([a-z-]*\)".*"deadline":\([0-9]*\).*/\1 \2/p')
}

terminate_local() { load_metadata && http POST "$metadata_url/metadata/v1/terminate" "X-Spot-Token: $metadata_token" >/dev/null; }
# [end]

# [only aws gcp alibaba]
# metadata_at URL: sets $metadata_url to it; a machine with a root of its own finds there what stands for it.
metadata_at() {
  metadata_url=$1
  if [ -n "$ROOT" ]; then metadata_url=$(sed -n 's/^SPOT_METADATA_URL=//p' "$ROOT/metadata.env" 2>/dev/null); fi
  [ -n "$metadata_url" ]
}
# [end]

# [only aws]
# `meta-data/instance-action`, without `spot/`, is something else. A notice says what will be done, and when; a
# recommendation only that the risk is higher now.
read_notice_aws() {
  token_header=X-aws-ec2-metadata-token
  metadata_at http://169.254.169.254 || return
  ask_with_token spot/instance-action
  heard_code=$?
  if [ "$heard_code" -eq 0 ]; then hear_time reclaim; return; fi
  [ "$heard_code" -eq 4 ] || return 1
  ask_with_token events/recommendations/rebalance && hear_time rebalance
}
# [end]

# [only alibaba]
read_notice_alibaba() {
  token_header=X-aliyun-ecs-metadata-token
  metadata_at http://100.100.100.200 && ask_with_token instance/spot/termination-time && hear_time reclaim
}
# [end]

# [only aws alibaba]
# hear_time KIND: sets $heard with the time in $answer (UTC, as in RFC 3339). What has no time is no notice of theirs.
hear_time() {
  heard=$(printf '%s\n' "$answer" |
    sed -n 's/.*\([0-9]\{4\}\)-\([0-9][0-9]\)-\([0-9][0-9]\)T\([0-9][0-9]\):\([0-9][0-9]\):\([0-9][0-9]\)[.0-9]*Z.*/\1 \2 \3 \4 \5 \6/p' |
    awk -v kind="$1" 'NR == 1 {
      m = ($2 + 9) % 12; y = $1 - (m > 9)
      days = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m + 2) / 5) + $3 - 719469
      printf "%s %.0f\n", kind, ((days * 24 + $4) * 60 + $5) * 60 + $6 }')
  [ -n "$heard" ]
}

# ask_with_token PATH: sets $answer. The token is kept; when it is no longer good, another one is taken, once.
# Where none can be had it is tried without.
ask_with_token() {
  [ -n "$ask_header" ] || take_token
  answer=$(http GET "$metadata_url/latest/meta-data/$1" "$ask_header")
  ask_code=$?
  if [ "$ask_code" -eq 3 ]; then
    take_token || return 1
    answer=$(http GET "$metadata_url/latest/meta-data/$1" "$ask_header")
    ask_code=$?
  fi
  return "$ask_code"
}

# take_token: sets $ask_header.
ask_header='' take_said=''
take_token() {
  ask_header='Accept: */*'
  ask_token=$(http PUT "$metadata_url/latest/api/token" "$token_header-ttl-seconds: 21600")
  take_code=$?
  if [ "$take_code" -eq 5 ] && [ -z "$take_said" ]; then
    take_said=yes
    say 'no program here can PUT (curl, GNU wget, python3 can): asking for notices without a session token'
  fi
  [ "$take_code" -eq 0 ] || return 1
  case $ask_token in '' | *[!A-Za-z0-9_=+/.-]*) return 1 ;; esac
  ask_header="$token_header: $ask_token"
}
# [end]

# [only gcp]
# Reads of `preempted` wait for its change. No deadline is told with it: what the setting says, or a little less than the 30
# seconds there are at best. Maintenance of the host is told an hour ahead where there are GPUs.
preempted_tag='' preempted_until='' maintenance_until=''
read_notice_gcp() {
  metadata_at http://metadata.google.internal || return
  gcp_url=$metadata_url/computeMetadata/v1/instance
  gcp_wait=
  if [ -n "$preempted_tag" ]; then gcp_wait="?wait_for_change=true&timeout_sec=$WAIT_SECONDS&last_etag=$preempted_tag"; fi
  preempted_tag='' pause=2
  ticks
  gcp_began=$ticks
  answer=$(http GET "$gcp_url/preempted$gcp_wait" 'Metadata-Flavor: Google' $((WAIT_SECONDS + 5))) || return 1
  ticks
  # A service that does not wait is not asked without a pause.
  pause=1
  if [ $((ticks - gcp_began)) -gt 100 ]; then pause=0.05; fi
  preempted_tag=$(sed -n 's/^ *[Ee][Tt]ag: *\([A-Za-z0-9_-]*\).*/\1/p' "$http_head" | tail -n 1)
  case $answer in
    TRUE)
      now
      preempted_until=${preempted_until:-$((now + ${SPOT_SET_NOTICE_SECONDS:-25}))}
      heard="reclaim $preempted_until"
      return
      ;;
    FALSE) preempted_until= ;;
    *) return 1 ;;
  esac
  read_maintenance_gcp
}

# Once a minute.
maintenance_ticks=
read_maintenance_gcp() {
  if [ -z "$maintenance_ticks" ] || [ $((ticks - maintenance_ticks)) -ge $((WAIT_SECONDS * 100)) ]; then
    answer=$(http GET "$gcp_url/maintenance-event" 'Metadata-Flavor: Google') && maintenance_ticks=$ticks
    case $answer in
      TERMINATE*)
        now
        maintenance_until=${maintenance_until:-$((now + 3600))}
        ;;
      NONE) maintenance_until= ;;
    esac
  fi
  [ -n "$maintenance_until" ] || return 4
  heard="maintenance $maintenance_until"
}
# [end]

# [only aws gcp]
# Who shuts down here has ended its billing. A machine of a test has a root folder, and must not end the one it runs on.
terminate_aws() {
  if [ -n "$ROOT" ]; then
    "$ROOT/sbin/poweroff"
  elif [ -d /run/systemd/system ]; then
    systemctl --no-block poweroff
  else
    shutdown -h now || poweroff
  fi
}

terminate_gcp() { terminate_aws; }
# [end]

# [only aws gcp alibaba]
# _listen PID: asks at the service's own pace for as long as the agent PID lives, and puts what it hears into `heard`.
verb__listen() {
  load_settings || return
  listen_misses=0
  while kill -0 "$1" 2>/dev/null; do
    heard='' pause=$ASK_EVERY
    read_notice
    case $? in
      0 | 4)
        put heard "${heard:-none}"
        if [ "$listen_misses" -ge 3 ]; then say 'the metadata service answers again'; fi
        listen_misses=0
        ;;
      *)
        listen_misses=$((listen_misses + 1))
        if [ "$listen_misses" -eq 3 ]; then say 'the metadata service does not answer'; fi
        ;;
    esac
    nap "$pause"
  done
}

# The listener goes on whatever becomes of it.
keep_listening() {
  if { [ -n "$listener" ] && kill -0 "$listener" 2>/dev/null; } || [ "$now" -lt "$listen_again" ]; then return 0; fi
  listen_again=$((now + ASK_EVERY))
  lead sh "$AGENT" _listen "$$" </dev/null >/dev/null &
  listener=$!
}
# [end]

end_listener() { if [ -n "$listener" ]; then signal_tree TERM "$listener"; fi; }

# ---------------------------------------------------------------- restoring

# manifest_field FILE NAME
manifest_field() { sed -n "2,10s/^$2 //p" "$1" | head -n 1; }

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

# manifest_json FILE ID: what a manifest says of its checkpoint, as the inside of a JSON object.
manifest_json() {
  awk -v id="$2" -v sha256="$(hash_stdin <"$1")" '
    function text(value) { gsub(/[^ -~]|["\\]/, "", value); return value == "-" ? "null" : "\"" value "\"" }
    function number(value) { return value ~ /^[0-9]+$/ ? value : 0 }
    NR <= 10 { field[NR] = substr($0, index($0, " ") + 1) }
    NR == 10 { exit }
    END { printf "\"id\":\"%s\",\"instance\":%s,\"volume\":%s,\"createdAt\":%s,\"reason\":%s,\"step\":%s,\"files\":%s,\"bytes\":%s,\"sha256\":\"%s\"",
        id, text(field[3]), text(field[4]), number(field[5]), text(field[6]), text(field[7]), number(field[9]), number(field[10]), sha256 }' "$1"
}

# restore_one ID: puts a checkpoint back, verified as it now lies here.
restore_one() {
  from=$SEALED/$1
  manifest_whole "$from/MANIFEST" || { say "checkpoint $1: its manifest is damaged"; return 1; }
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
  for stale in "$SEALED"/.partial-*; do discard "$stale"; done
  damaged=0
  for candidate in $(for folder in "$SEALED"/c-*; do printf '%s\n' "${folder##*/}"; done | sort -r); do
    [ -d "$SEALED/$candidate" ] || continue
    # A damaged manifest may be anyone's: then it is better to stop than to begin again from nothing.
    if manifest_whole "$SEALED/$candidate/MANIFEST" && [ "$(manifest_field "$SEALED/$candidate/MANIFEST" instance)" != "$SPOT_SET_INSTANCE" ]; then continue; fi
    if restore_one "$candidate"; then
      restored=$candidate
      # What was just put back is sealed already.
      id=$candidate
      describe "$CKPT" "$WORK/before" && remember_sealed
      say "put back $candidate"
      return 0
    fi
    damaged=$((damaged + 1))
  done
  [ "$damaged" -eq 0 ] && return 0
  give_up "$damaged sealed checkpoint(s) of $SPOT_SET_INSTANCE and none verifies: the workload is not started, nothing is changed"
  return 7
}

# ---------------------------------------------------------------- a notice

# The controller's word, or the endpoint's: sets $notice to `KIND DEADLINE` or nothing. An endpoint that does not answer
# withdraws nothing.
hear() {
  heard='' heard_code=1
  case $SPOT_SET_NOTICES in
    controller) ;;
    local)
      read_notice
      heard_code=$?
      ;;
    *)
      keep_listening
      get heard
      case $value in none) heard_code=4 ;; ?*) heard=$value heard_code=0 ;; esac
      ;;
  esac
  case $heard_code in
    0) [ -n "$heard" ] && endpoint=$heard ;;
    4)
      if [ -n "$endpoint" ]; then
        # The endpoint takes back what both mouths said.
        get told
        is_same "$value" "$endpoint" && rm -f "$RUN/told"
      fi
      endpoint=
      ;;
  esac
  get told
  notice=${endpoint:-$value}
  # An advice hides no reclaim.
  case $endpoint in rebalance*) notice=${value:-$endpoint} ;; esac
}

# is_same WORD WORD: whether both are of one reclaim. What two mouths say of its deadline differs by some seconds.
is_same() {
  [ "${1% *}" = "${2% *}" ] && apart=$((${1#* } - ${2#* })) && [ "${apart#-}" -le 5 ]
}

# presses: whether there is a notice that ends this machine. A rebalance recommendation only says that one is more likely, and
# a machine that has outlived its deadline goes on as before.
presses() {
  case $notice in '' | rebalance*) return 1 ;; esac
  [ "$now" -lt $((${notice#* } + 60)) ]
}

# answer_notice: starts or ends the answer when the notice has changed.
answer_notice() {
  [ "$notice" = "$answered" ] && return 0
  if is_same "$notice" "$answered"; then
    # What is being done about it goes on, by the newer word. The hook that has answered it knows it by the first one.
    put notice "$notice"
    notice=$answered
    return
  fi
  if [ -n "$responder" ]; then kill -s TERM "$responder" 2>/dev/null; fi
  responder=
  answered=$notice
  if [ -z "$notice" ]; then
    rm -f "$RUN/notice.json" "$RUN/notice" "$RUN/fit"
    say 'the notice was withdrawn'
    return 0
  fi
  now
  put notice.json "{\"kind\":\"${notice% *}\",\"deadline\":${notice#* },\"seenAt\":$now}"
  put notice "$notice"
  case $notice in
    rebalance*)
      say 'the cloud recommends to move on (rebalance): sealing one more checkpoint'
      if [ -n "$begun" ] && [ -z "$ended_at" ] && [ -n "$VOLUME" ]; then seal_aside interval; fi
      ;;
    *)
      sh "$AGENT" _respond "${notice#* }" >/dev/null &
      responder=$!
      say "notice: ${notice% *} in $((${notice#* } - now)) s"
      ;;
  esac
}

# plan DEADLINE: sets $left (seconds to it) and $reserve (what a seal and its margin need of them), by what was sealed last.
plan() {
  now
  left=$(($1 - now))
  get needs
  is_number "$value" || value=$(du -sk "$CKPT" 2>/dev/null | awk '{ printf "%.0f", $1 * 1024 }')
  seal_needs=${value:-0}
  expect_seal
  reserve=$((needed + 1))
  if [ "$left" -gt 60 ]; then reserve=$((reserve + 3)); fi
}

# plan_hook DEADLINE: and $hook_share, the hook's part of the time: what the seal leaves, a quarter at least, a second at least.
plan_hook() {
  plan "$1"
  hook_share=$((left - reserve))
  if [ "$hook_share" -lt $((left / 4)) ]; then hook_share=$((left / 4)); fi
  if [ "$hook_share" -lt 1 ]; then hook_share=1; fi
}

# answer_hook DEADLINE: runs it, and sets $next_hook: as often as without a notice, and a last time as late as it (by twice what
# it took, and what the clock rounds away) and a seal are sure to fit, also when another seal was begun a moment before.
answer_hook() {
  plan_hook "$fit_until"
  took=$left
  rm -f "$RUN/hook-done"
  run_hook notice "$1" "$hook_share"
  plan "$fit_until"
  took=$(((took - left) * 2 + 3)) next_seal=0
  next_hook=$((left - reserve * 2 - took))
  if [ "$next_hook" -lt "$took" ]; then
    next_hook=99999
  elif [ "$next_hook" -gt "${SPOT_SET_EVERY:-99999}" ]; then
    next_hook=${SPOT_SET_EVERY:-99999}
  fi
  next_hook=$((now + next_hook))
}

# _respond DEADLINE: the hook inside its share, then a seal, then another whenever there is newer data and time for it. What
# does not fit is looked at again and again: the workload may make it smaller.
verb__respond() {
  load_settings && begin_work || return 7
  fit_until=$1 begins=true
  answer_hook "$1"
  if [ -z "$VOLUME" ]; then
    say 'this instance has no volume: nothing outlives it'
    return 0
  fi
  while [ -f "$RUN/notice.json" ]; do
    get notice
    fit_until=${value#* }
    plan "$fit_until"
    # Whoever is late, or whose clock is wrong, tries once all the same.
    if { [ "$left" -le 0 ] && [ "$next_seal" -gt 0 ]; } || [ -f "$RUN/released" ]; then break; fi
    [ "$now" -lt "$next_hook" ] || answer_hook "$1"
    # It may still be on its way.
    volume_there || { nap 0.5; continue; }
    # The first at once; then ever closer together towards the deadline, and one as late as a seal is sure to fit.
    if [ "$now" -ge "$next_seal" ] || { [ "$left" -le $((reserve + 1)) ] && [ "$left" -ge "$reserve" ]; }; then
      next_seal=$((now + 1))
      lock seal $((now + 10)) || continue
      fit_before=$begins
      seal notice || [ "$fit_before" = false ] || say "not sealed: $refusal"
      unlock seal
      case $begins$sealed in
      false*) next_seal=$((now + 5)) ;;
      *'"unchanged":false'*)
        plan "$fit_until"
        next_seal=$((now + 2 + left / 4))
        ;;
      esac
    fi
    [ "$left" -ge "$reserve" ] || [ "$begins" = false ] || break
    nap 0.5
  done
}

# ---------------------------------------------------------------- run

# command_of FOLDER: sets $command_line to that of a process below /proc, without the zeros between its words.
command_of() {
  command_line=
  { IFS= read -r command_line <"$1/cmdline"; } 2>/dev/null
}

# runs_agent PID: a shell reads no NULs, so the words stick together. Any fork of this one would look like an agent itself,
# and in a container that was started again the old number may well be given to it.
runs_agent() {
  command_of "/proc/$1"
  case $command_line in *"$LIB/agent.shrun") ;; *) return 1 ;; esac
}

verb_run() {
  # Another one may run already: the boot script was run twice.
  get agent-pid
  if is_number "$value" && [ "$value" != "$$" ] && runs_agent "$value"; then
    say "the agent runs already (process $value)"
    return 0
  fi
  rm -rf "$RUN"
  mkdir -p "$CKPT" "$RUN" "$ROOT/tmp" || return 1
  put phase preparing
  put agent-pid "$$"
  load_settings || return 1
  if [ "$SPOT_SET_MACHINE" != process ]; then
    (umask 077 && : >>"$LIB/console.log")
    exec >>"$LIB/console.log" 2>&1
  fi
  begun='' over='' asked='' notice='' listener='' listen_again=0
  trap 'asked_to_end' TERM INT
  trap '' HUP
  begin || return
  supervise
  run_code=$?
  end_listener
  return "$run_code"
}

# begin: as soon as its volume is there, puts the newest checkpoint back and starts the workload.
begin() {
  now
  # A machine that comes back after its time does not begin again.
  if [ "$SPOT_SET_MACHINE" != process ] && time_is_up; then return 0; fi
  [ "$SPOT_SET_VOLUME_COMES" = device ] && lacks_volume && return 0
  lock volume "$now" || return 0
  if [ ! -f "$RUN/released" ]; then
    begin_work || return 1
    put_back || return
    rm -rf "$WORK"
    trap 'asked_to_end' TERM INT
    trap '' HUP
    start_workload
    begun=yes
  fi
  unlock volume
}

put_back() {
  discard "$LIB/.freeze"
  if [ -n "$VOLUME" ] && [ "$SPOT_SET_MACHINE" != process ] && ! volume_there; then
    give_up "the volume is not mounted at $SPOT_SET_VOLUME_MOUNT: the workload is not started"
    return 7
  fi
  if [ -z "$(ls -A "$CKPT")" ]; then
    put phase restoring
    restore_newest || return 7
    [ -n "$restored" ] && put restored-from "$restored"
  elif [ -d "$SEALED" ]; then
    for stale in "$SEALED"/.partial-*; do discard "$stale"; done
  fi
  return 0
}

# give_up WHY: `status` tells it when the agent has left.
give_up() {
  say "$1"
  put why "$1"
}

start_workload() {
  now
  put started-at "$now"
  (
    (lead sh "$AGENT" _workload) </dev/null
    put exit-code "$?"
  ) &
  workload_shell=$!
  put phase running
}

supervise() {
  endpoint='' notice='' answered='' responder='' sealer='' ended_at=''
  now
  last_seal=$now
  while :; do
    now
    printf '%s\n' "$now" >"$RUN/heartbeat"
    hear
    answer_notice
    if [ -n "$begun" ] && [ -z "$ended_at" ]; then look_after_workload; fi
    if [ -n "$asked" ]; then finish 'it was asked to end'; fi
    if [ -z "$over" ] && [ ! -f "$RUN/released" ]; then
      if time_is_up; then
        finish 'its time is up'
      elif is_number "$SPOT_SET_IDLE" && is_idle; then
        finish 'it has been idle'
      elif [ -z "$begun" ]; then
        begin || return
      elif [ -z "$ended_at" ] && ! presses && is_number "$SPOT_SET_EVERY" && [ -n "$VOLUME" ] && [ $((now - last_seal)) -ge "$SPOT_SET_EVERY" ]; then
        seal_aside interval
      fi
    fi
    nap "$POLL"
  done
}

time_is_up() {
  get ttl-ends-at
  ttl=${value:-$SPOT_SET_TTL_ENDS_AT}
  is_number "$ttl" && [ "$now" -ge "$ttl" ]
}

# [only idle]
# Below so many percent a GPU does nothing that somebody waits for: a desktop or a monitor of its own shows as one or two.
IDLE_PERCENT=5
# A GPU that was seen idle fewer times may have been seen between two bursts.
IDLE_SAMPLES=3

# is_idle: whether nothing has been going on for the idle time. Time is added up in small steps, so that neither a clock that is
# set nor a machine that slept makes it pass; `date` has no say.
idle_ticks=0 idle_samples=0 idle_before='' look_again='' gpu='' gpu_looker='' people=0
is_idle() {
  ticks
  idle_step=$((ticks - ${idle_before:-$ticks})) idle_before=$ticks
  case $idle_step in -* | ?????*) idle_step=0 look_again=$ticks ;; esac
  if [ "$ticks" -ge "${look_again:-0}" ]; then look_around; fi
  if something_goes_on; then
    idle_ticks=0 idle_samples=0
    return 1
  fi
  idle_ticks=$((idle_ticks + idle_step))
  [ "$idle_ticks" -ge "${SPOT_SET_IDLE}00" ] && { [ -z "$gpu" ] || [ "$idle_samples" -ge "$IDLE_SAMPLES" ]; }
}

# A workload that runs is something, unless it was ordered that the GPU alone tells; then it is something wherever no GPU tells.
something_goes_on() {
  if [ -z "$ended_at" ] && { [ -z "$gpu" ] || [ "$SPOT_SET_IDLE_BY" != gpu ]; }; then return 0; fi
  if [ "${gpu:-0}" -ge "$IDLE_PERCENT" ] || [ "$people" -gt 0 ]; then return 0; fi
  for idle_lock in seal hook volume; do
    if idle_owner=$(readlink "$RUN/$idle_lock.lock") && kill -0 "$idle_owner" 2>/dev/null; then return 0; fi
  done
  return 1
}

# look_around: at the GPUs and at who is here, some four times in the idle time, and every 15 s at least.
look_around() {
  look_again=$((ticks + SPOT_SET_IDLE * 25))
  if [ "$look_again" -gt $((ticks + 1500)) ]; then look_again=$((ticks + 1500)); fi
  # nvidia-smi takes seconds, and hangs on a GPU that is lost: somebody else asks it, and has until the next look.
  get gpu
  gpu=$value
  rm -f "$RUN/gpu"
  if is_number "$gpu"; then idle_samples=$((idle_samples + 1)); else gpu=; fi
  if ! kill -0 "${gpu_looker:-none}" 2>/dev/null; then
    # A GPU in parts says [N/A]: it is not known to be idle, unless another one works.
    (sample=$(nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits | tr '[' 9 | sort -n | tail -n 1) && put gpu "$sample") 2>/dev/null &
    gpu_looker=$!
  fi
  count_people
  idle_since=null
  if [ "$idle_ticks" -gt 0 ]; then idle_since=$((now - idle_ticks / 100)); fi
  idle_workload=running
  if [ -n "$ended_at" ]; then idle_workload=over; fi
  put idle "$(printf '{"since":%s,"gpuUtil":%s,"logins":%s,"workload":"%s","basis":["exit","logins"%s]}' \
    "$idle_since" "${gpu:-null}" "$people" "$idle_workload" "${gpu:+,\"gpu\"}")"
}

# count_people: who is logged in, works in `exec`, or came by SSH for anything but a verb of ours. The people of a machine that is
# only a process are another's.
count_people() {
  people=0
  for person in "$RUN"/sessions/*; do
    if kill -0 "${person##*/}" 2>/dev/null; then people=$((people + 1)); else rm -f "$person"; fi
  done
  [ "$SPOT_SET_MACHINE" != process ] || return 0
  people=$((people + $(who 2>/dev/null | wc -l)))
  for person in "$ROOT"/proc/[0-9]*; do
    command_of "$person"
    case $command_line in sshd*@*) ;; *) continue ;; esac
    person_runs=
    { read -r person_runs <"$person/task/${person##*/}/children"; } 2>/dev/null
    for person_runs in $person_runs; do
      command_of "$ROOT/proc/$person_runs"
      case $command_line in *agent.sh*) ;; ?*) people=$((people + 1)) ;; esac
    done
  done
}
# [end]

# seal_aside REASON: in a process of its own, one at a time.
seal_aside() {
  if [ -n "$sealer" ] && kill -0 "$sealer" 2>/dev/null && [ ! -f "$RUN/sealer-done" ]; then return 0; fi
  rm -f "$RUN/sealer-done"
  last_seal=$now
  (
    sh "$AGENT" snapshot "$1" >/dev/null
    : >"$RUN/sealer-done"
  ) &
  sealer=$!
}

look_after_workload() {
  if [ ! -f "$RUN/exit-code" ]; then
    kill -0 "$workload_shell" 2>/dev/null && return 0
    put exit-code 137
  fi
  get exit-code
  ended_at=$now
  say "the workload ended with exit code $value"
  [ -f "$RUN/released" ] || put phase exited
  # Whoever asked for the end seals by himself; under a notice the answer to it does.
  if [ ! -f "$RUN/stop-asked" ] && ! presses && [ -n "$VOLUME" ]; then
    wait_for_sealer
    seal_aside exit
  fi
}

wait_for_sealer() { if [ -n "$sealer" ]; then wait "$sealer" 2>/dev/null; fi; }

asked_to_end() { asked=yes; }

# finish WHY: hook, last checkpoint, and the machine ends itself. Where it cannot, the agent stays, for whoever ends it. Who
# stops the agent of a rented machine does not ask for the machine's end: a boot script may start it anew with other settings.
finish() {
  if [ -n "$over" ]; then leave; fi
  say "$1: sealing a last checkpoint"
  ends=$SPOT_SET_ENDS_ITSELF
  if [ "$SPOT_SET_MACHINE" != process ] && [ -n "$asked" ]; then ends=no; fi
  [ "$ends" = yes ] && trap '' TERM INT
  put phase stopping
  wait_for_sealer
  if [ -n "$VOLUME" ] && [ ! -f "$RUN/released" ]; then seal_at_the_end || say 'the last checkpoint was not sealed'; fi
  end_workload 5
  if [ "$ends" = yes ]; then
    say 'ending this machine'
    if terminate; then
      # The embedded cloud ends this process with the machine; systemd would wait for it.
      if [ "$SPOT_SET_MACHINE" = process ]; then nap 10; fi
      leave
    fi
    say 'this machine could not be ended from within'
    [ "$SPOT_SET_MACHINE" != process ] || leave
  fi
  [ -z "$asked" ] || leave
  trap 'asked_to_end' TERM INT
  over=yes
  ended_at=$now
  put phase expired
  say 'this machine does not end itself; waiting for its end'
}

# A cloud that takes a machine back, as one that shuts it down (Compute Engine), gives it no minute more. The hook that
# has just answered the notice is not run twice.
seal_at_the_end() {
  now
  end_until=$((now + 60)) end_how=soft
  if [ -n "$asked" ] && [ "$SPOT_SET_NOTICES" = gcp ]; then end_until=$((now + 25)) end_how=; fi
  if presses; then
    end_how=
    if [ "${notice#* }" -lt "$end_until" ]; then end_until=${notice#* }; fi
    if [ "$end_until" -lt $((now + 25)) ]; then end_until=$((now + 25)); fi
    plan "$end_until"
    if lock hook $((end_until - reserve)); then unlock hook; fi
    get hook-done
    if [ "$value" = "notice ${notice#* }" ] && [ "$(find "$RUN/hook-done" -mmin -2)" ]; then
      sh "$AGENT" snapshot notice "${notice#* }" >/dev/null
      return
    fi
  fi
  sh "$AGENT" snapshot down "$end_until" $end_how >/dev/null
}

leave() {
  end_listener
  exit 0
}

# ---------------------------------------------------------------- the other verbs

# fail TEXT: as every verb reports it.
fail() {
  say "$1"
  fail_fit=
  if [ "${begins-}" = false ]; then fail_fit=",\"fit\":$fit"; fi
  printf '{"error":%s%s}\n' "$(json_string "$1")" "$fail_fit"
  exit 7
}

require_running() {
  get agent-pid
  is_number "$value" || fail 'the agent has not been started'
  load_settings || fail 'the agent has no settings'
}

# require_volume: for verbs that read it.
require_volume() {
  require_running
  [ -n "$VOLUME" ] || fail 'this instance has no volume'
  volume_there || fail "the volume is not there: $SPOT_SET_VOLUME_MOUNT"
}

# require_checkpoint ID: a whole one.
require_checkpoint() {
  case ${1-} in c-*[!0-9A-Za-z-]* | [!c]* | '') fail "not a checkpoint: ${1-}" ;; esac
  require_volume
  [ -d "$SEALED/$1" ] || fail "there is no checkpoint $1 on the volume"
  manifest_whole "$SEALED/$1/MANIFEST" || fail "checkpoint $1: its manifest is damaged"
}

verb_snapshot() {
  case ${1-} in manual | interval | notice | hibernate | down | exit) ;; *) fail "not a reason for a checkpoint: ${1-}" ;; esac
  require_running
  begin_work || fail "no space to work in: $RUN"
  now
  snapshot_until=$((now + 3600)) fit_until=
  hook_share=$HOOK_SECONDS
  if is_number "${2-}"; then
    snapshot_until=$2
    [ "${3-}" = soft ] || fit_until=$2
    plan_hook "$2"
  fi
  if [ "$1" != exit ]; then run_hook "$1" "${2:-$((now + hook_share))}" "$hook_share"; fi
  lock seal "$snapshot_until" || fail 'another checkpoint is being sealed'
  begins=true
  seal "$1" || fail "$refusal"
  printf '%s\n' "$sealed"
}

verb_notice() {
  if [ "${1-}" = none ]; then
    require_running
    rm -f "$RUN/told"
    printf '{"withdrawn":true}\n'
    return
  fi
  is_number "${1-}" || fail 'a notice needs its deadline in epoch seconds'
  case ${2-reclaim} in reclaim | rebalance | maintenance) ;; *) fail "not a kind of notice: $2" ;; esac
  require_running
  put told "${2-reclaim} $1"
  printf '{"kind":"%s","deadline":%s}\n' "${2-reclaim}" "$1"
}

# json_number TEXT: it, or null.
json_number() { if is_number "$1"; then json=$1; else json=null; fi; }

# json_text TEXT: a string, or null when there is none. Only for texts that need no escapes.
json_text() { if [ -n "$1" ]; then json=\"$1\"; else json=null; fi; }

json_as_is() { json=${1:-null}; }

# field NAME FUNCTION KEY: appends to $fields.
field() {
  get "$3"
  "$2" "$value"
  fields="${fields:+$fields,}\"$1\":$json"
}

# field_notice: `own`: the cloud's metadata service says so itself; else the controller told it, and nobody knows more.
field_notice() {
  get notice
  json=null
  if [ -n "$value" ]; then
    said=$value own=true
    get told
    if [ "$value" = "$said" ]; then
      get heard
      if [ "$value" != "$said" ]; then own=false; fi
    fi
    json="{\"kind\":\"${said% *}\",\"deadline\":${said#* },\"own\":$own}"
  fi
  fields="$fields,\"notice\":$json"
}

verb_status() {
  require_running
  # After a hibernation or a crash the files of the last boot lie here until the agent begins anew.
  get agent-pid
  if ! kill -0 "$value" 2>/dev/null; then
    get why
    fail "the agent is not running${value:+: $value}"
  fi
  fields=
  field phase json_text phase
  field awaits json_text awaits
  field workloadPid json_number workload-pid
  field exitCode json_number exit-code
  field startedAt json_number started-at
  field restoredFrom json_text restored-from
  read_step "$CKPT"
  json_text "$step"
  fields="$fields,\"step\":$json"
  field lastCheckpoint json_text last-checkpoint
  field lastSealSeconds json_as_is last-seal
  field_notice
  field fit json_as_is fit
  field idle json_as_is idle
  field heartbeatAt json_number heartbeat
  json_number "$SPOT_SET_TTL_ENDS_AT"
  now
  printf '{%s,"ttlEndsAt":%s,"saidAt":%s}\n' "$fields" "$json" "$now"
}

# [only local aws gcp alibaba]
verb_listen() {
  require_running
  # What runs in a shell's background gets no standard input of its own accord.
  exec 3<&0
  (cat <&3; kill "$$") >/dev/null 2>&1 &
  listen_said='' listen_at=0
  while get agent-pid && kill -0 "$value" 2>/dev/null; do
    fields=
    field phase json_text phase
    read_step "$CKPT"
    json_text "$step"
    fields="$fields,\"step\":$json"
    field_notice
    ticks
    if [ "$fields" != "$listen_said" ] || [ $((ticks - listen_at)) -ge 1000 ]; then
      printf '{%s}\n' "$fields"
      listen_said=$fields listen_at=$ticks
    fi
    nap 1
  done
  fail 'the agent is not running'
}
# [end]

# end_workload SECONDS: SIGTERM, and SIGKILL to what is left after that time.
end_workload() {
  # It may have been started just now.
  end_tries=0
  while get workload-pid && [ -f "$RUN/started-at" ] && [ -z "$value" ] && [ "$end_tries" -lt 20 ]; do
    nap 0.1
    end_tries=$((end_tries + 1))
  done
  if ! is_number "$value" || [ -f "$RUN/exit-code" ]; then return 0; fi
  end_pid=$value
  now
  end_until=$((now + $1))
  signal_tree TERM "$end_pid"
  while [ ! -f "$RUN/exit-code" ] && [ "$now" -lt "$end_until" ]; do
    nap 0.1
    now
  done
  signal_tree KILL "$end_pid"
  end_tries=0
  while [ ! -f "$RUN/exit-code" ] && [ "$end_tries" -lt 50 ]; do
    nap 0.1
    end_tries=$((end_tries + 1))
  done
}

verb_stop() {
  require_running
  if [ ! -f "$RUN/exit-code" ]; then put stop-asked yes; put phase stopping; fi
  stop_grace=10
  if is_number "${1-}"; then stop_grace=$1; fi
  end_workload "$stop_grace"
  get exit-code
  json_number "$value"
  printf '{"stopped":true,"exitCode":%s}\n' "$json"
}

verb_volume() {
  require_running
  [ -n "$VOLUME" ] || fail 'this instance has no volume'
  [ "$SPOT_SET_VOLUME_COMES" = device ] || fail 'the volume of this machine is mounted by the cloud'
  take_volume "$@"
}

# [only device]
# right_size DEVICE GB: whether a disk can be the volume of that size. A name is only a hint: a machine's own scratch disk may
# have it. Clouds count in powers of ten or of two, and some round up. What is smaller than a GiB is no cloud's disk.
right_size() {
  disk_bytes=$(blockdev --getsize64 "$1" 2>/dev/null)
  is_number "$disk_bytes" || { refusal="the size of ${1#"$ROOT"} could not be read"; return 1; }
  [ "$disk_bytes" -ge 1073741824 ] || return 0
  if [ "$disk_bytes" -ge $(($2 * 950000000)) ] && [ "$disk_bytes" -le $(($2 * 1130000000)) ]; then return 0; fi
  refusal="${1#"$ROOT"} has $((disk_bytes / 1000000000)) GB and the volume $2 GB: it is another disk; nothing was changed"
  return 1
}

# by_serial TEXT: sets $device to the one whole disk that says this serial number, dashes or not. Returns 1 when there is none
# (yet), 7 with $refusal when there are several. An NVMe disk's number is its controller's; 20 characters are all that fit.
by_serial() {
  serial=$(printf %s "$1" | tr -d -)
  serial_links=$NL
  for serial_disk in "$ROOT"/dev/disk/by-id/*; do
    case ${serial_disk##*/}_ in
      *[-_]"$serial"_ | *[-_]"$serial"_[0-9]_ | *[-_]"$1"_ | *[-_]"$1"_[0-9]_) serial_links=$serial_links$(readlink "$serial_disk")$NL ;;
    esac
  done
  device=
  for serial_disk in "$ROOT"/sys/block/*; do
    serial_name=${serial_disk##*/}
    [ -e "$ROOT/dev/$serial_name" ] || continue
    case $serial_links in
      *"/$serial_name$NL"*) ;;
      *) cat "$serial_disk/serial" "$serial_disk/device/serial" 2>/dev/null | tr -d ' -' | grep -qxF "$(printf %.20s "$serial")" || continue ;;
    esac
    [ -z "$device" ] || refuse "$device and /dev/$serial_name both say the serial number $1; nothing was changed" || return
    device=/dev/$serial_name
  done
  [ -n "$device" ]
}

# await_device UNTIL: waits for what $device names, and sets it to the disk's own name. Returns 7 with $refusal.
await_device() {
  awaited=$device
  until
    case $awaited in
      serial:*) by_serial "${awaited#serial:}" ;;
      *) [ -e "$ROOT$device" ] ;;
    esac
  do
    [ $? -ne 7 ] || return 7
    now
    [ "$now" -lt "$1" ] || refuse "no disk $awaited has appeared within 60 s" || return
    nap 0.2
  done
  case $device in
    /dev/disk/*)
      # One step of it: to the disk's name. What else that leads to is not asked.
      await_link=$(readlink "$ROOT$device")
      case $await_link in
        ../../*) device=/dev/${await_link#../../} ;;
        ?*) device=${await_link#"$ROOT"} ;;
      esac
      ;;
  esac
}

take_volume() {
  case ${1-} in
    '' | *[!A-Za-z0-9/_.:-]* | *..*) fail "not a device: ${1-}" ;;
    /dev/* | serial:????*) device=$1 ;;
    /* | serial:*) fail "not a device: $1" ;;
    *) device=/dev/$1 ;;
  esac
  now
  volume_until=$((now + 60))
  begin_work || fail "no space to work in: $RUN"
  lock volume "$volume_until" || fail 'the volume is being mounted or let go of; try again'
  [ ! -f "$RUN/released" ] || fail 'the volume was released; this machine takes it again after a reboot'
  formatted=false
  get volume-device
  if [ -n "$value" ] && [ ! -e "$value" ]; then
    say "$value is gone: its file system is no longer used"
    rm -f "$RUN/volume" "$RUN/volume-device"
    umount -l "$VOLUME" 2>/dev/null
  fi
  if volume_there; then
    get volume-device
    device=${value#"$ROOT"}
  else
    await_device "$volume_until" || fail "$refusal"
    if is_number "${2-}"; then right_size "$ROOT$device" "$2" || fail "$refusal"; fi
    choose_part "$ROOT$device" || fail "$refusal"
    mount_part "$part" "$found_uuid" || fail "$refusal"
  fi
  printf '{"mounted":true,"device":"%s","formatted":%s}\n' "$device" "$formatted"
}
# [end]

verb_release() {
  require_running
  begin_work || fail "no space to work in: $RUN"
  # From now on nothing begins and nothing is sealed.
  : >"$RUN/released"
  put stop-asked yes
  rm -f "$RUN/awaits"
  now
  lock volume $((now + 50)) || fail 'the volume is being mounted or read from; try again'
  put phase stopping
  end_workload 10
  now
  lock seal $((now + 50)) || fail 'a checkpoint is being sealed; try again'
  if [ -n "$VOLUME" ] && volume_there; then
    sync_one "$VOLUME/" all || fail 'the volume did not take what was written to it'
    if [ "$SPOT_SET_VOLUME_COMES" = device ]; then let_go; fi
  fi
  printf '{"released":true}\n'
}

# [only device]
# let_go: whoever still reads from the volume is given ten seconds.
let_go() {
  go_tries=0
  until umount "$VOLUME" 2>"$WORK/umount.err" </dev/null; do
    go_tries=$((go_tries + 1))
    [ "$go_tries" -lt 100 ] || fail "the volume is still in use: $(head -n 1 "$WORK/umount.err")"
    nap 0.1
  done
  rm -f "$RUN/volume" "$RUN/volume-device"
  say 'the volume was let go of'
}
# [end]

verb_sealed() {
  require_volume
  # Once for all of them.
  choose_hasher plain
  sealed_rows=
  for folder in "$SEALED"/c-*; do
    id=${folder##*/}
    case $id in c-*[!0-9A-Za-z-]*) continue ;; esac
    manifest_whole "$folder/MANIFEST" && sealed_rows="{$(manifest_json "$folder/MANIFEST" "$id")}${sealed_rows:+,$sealed_rows}"
  done
  printf '{"sealed":[%s]}\n' "$sealed_rows"
}

verb_verify() {
  require_checkpoint "${1-}"
  begin_work || fail "no space to work in: $RUN"
  : >"$WORK/different"
  if ! matches_manifest "$SEALED/$1/data" "$SEALED/$1/MANIFEST"; then
    fail "checkpoint $1 does not verify: $(awk '{ printf "%s%s", (NR > 1 ? ", " : ""), $0 }' "$WORK/different")"
  fi
  printf '{%s}\n' "$(manifest_json "$SEALED/$1/MANIFEST" "$1")"
}

verb_pack() {
  exec 3>&1 >&2
  require_checkpoint "${1-}"
  exec tar -cf - -C "$SEALED/$1" MANIFEST data >&3 3>&-
}

# [only ready]
verb_ready_http() {
  load_settings || fail 'the agent has no settings'
  if ! is_number "${1-}" || [ "$1" -lt 1 ] || [ "$1" -gt 65535 ]; then fail "not a port: ${1-}"; fi
  case ${2-/} in [!/]* | *[!\!-~]*) fail "not a path: $2" ;; esac
  ready=false
  if answers_http "$1" "${2-/}"; then ready=true; fi
  printf '{"ready":%s}\n' "$ready"
}

# answers_http PORT PATH: with anything below 400. bash speaks TCP by itself, and is there more often than curl.
answers_http() {
  if command -v bash >/dev/null 2>&1; then
    # shellcheck disable=SC2016 # the dollars are bash's
    answer_line=$(bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAccept: */*\r\nConnection: close\r\n\r\n" "$1" "$0" >&3 &&
      IFS= read -r -t 4 line <&3 && printf %s "$line"' "$1" "$2" 2>/dev/null)
    case $answer_line in HTTP/*' '[123][0-9][0-9]*) return 0 ;; *) return 1 ;; esac
  fi
  http GET "http://127.0.0.1:$1$2" 'Accept: */*' >/dev/null
}
# [end]

verb_exec() {
  [ "${1-}" = -- ] && shift
  case ${1-} in '' | -*) fail "not a program's name: ${1-}" ;; esac
  load_settings || fail 'the agent has no settings'
  # As long as it runs, somebody is here.
  { mkdir -p "$RUN/sessions" && : >"$RUN/sessions/$$"; } 2>/dev/null
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
