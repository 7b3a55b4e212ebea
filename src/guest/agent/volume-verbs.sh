# The agent: the volume comes and goes.

# [only carried]
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

verb_volume() {
  require_running
  [ -n "$VOLUME" ] || fail 'this instance has no volume'
  [ "$SPOT_SET_VOLUME_COMES" = device ] || fail 'the volume of this machine is mounted by the cloud'
  take_volume "$@"
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
verb_release() {
  require_running
  begin_work || fail "no space to work in: $RUN"
  # From now on nothing begins and nothing is sealed.
  true >"$RUN/released" || fail "no space to work in: $RUN"
  put stop-asked yes
  rm -f "$RUN/awaits"
  # A workload that waits to write there does not end.
  if [ "$SPOT_SET_VOLUME_COMES" = device ] && command -v fsfreeze >/dev/null; then thaw_now; fi
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
