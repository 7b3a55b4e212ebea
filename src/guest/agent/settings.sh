# The agent: its settings.

load_settings() {
  SPOT_SET_MACHINE=process SPOT_SET_NOTICES=local SPOT_SET_ENDS_ITSELF=yes SPOT_SET_VOLUME_COMES=mounted
  SPOT_SET_INSTANCE='' SPOT_SET_VOLUME_NAME='' SPOT_SET_VOLUME_MOUNT='' SPOT_SET_WORKDIR=''
  SPOT_SET_HOOK='' SPOT_SET_EVERY='' SPOT_SET_BETWEEN='' SPOT_SET_TTL_ENDS_AT='' SPOT_SET_IDLE='' SPOT_SET_IDLE_BY='' SPOT_SET_NOTICE_SECONDS='' SPOT_SET_CACHES='' SPOT_SET_AWAITS=''
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
