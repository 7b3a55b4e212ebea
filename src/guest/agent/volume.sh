# The agent: the volume.

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
# [end]

# [only carried]
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
  elif [ -z "$probe_said" ] && is_blank "$1"; then
    say "$device is blank: making a file system (ext4) on it"
    mkfs.ext4 -q -L spot -m 0 "$1" </dev/null >&2 || refuse "$device: mkfs.ext4 failed" || return
    sync
    formatted=true
    probe "$1" || refuse "$device: blkid does not see the new file system" || return
  fi
  [ "$found_usage" = filesystem ] || refuse "$device is not blank and holds no file system${found_usage:+ but $found_usage}: it is not formatted, nothing was changed" || return
  [ -n "$found_uuid" ] || refuse "$device: its file system has no UUID" || return
}

# [end]

# [only device]
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
  return 1
}

# [end]

# [only copied]
# lacks_checkpoint: whether the workload has to wait for the checkpoint that a controller copies to this volume, which began empty.
# One that was sealed later means that it was here.
lacks_checkpoint() {
  # shellcheck disable=SC2012 # the names that count are plain
  ls "$SEALED" 2>/dev/null | awk -v id="$SPOT_SET_AWAITS" '/^c-/ && $0 >= id { there = 1 } END { exit !there }' && return 1
  [ -z "${held_for-}" ] || return 0
  held_for=copy
  mark @mount
  put awaits "$SPOT_SET_AWAITS"
  say "holding the workload back until checkpoint $SPOT_SET_AWAITS has been copied to its volume"
}
# [end]
