#!/bin/sh
# The spot agent: what runs inside the machine. It is one program, put together from the parts in this folder, in the order of the
# file `parts`.
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
# `# [only carried]` is what no machine gets at boot but the embedded cloud's: verbs that only a controller calls, and what
# nothing else needs. EC2 takes 16,384 bytes at boot and the rest is nearly that. The controller brings the whole agent, as
# $LIB/verbs-HASH.sh, when it wants one of these verbs (carried.ts), and runs that file. So beside the agent of the machine's
# boot another one works, perhaps of a newer version: all they share are the files in $RUN and $LIB and what lies on the volume.
# Whoever adds such a verb names it in CARRIED_VERBS (carried.ts) and in $CARRIED (dispatch.sh); boot-size.test.ts compares them.
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
#   prune [--dry-run] ID...      remove checkpoints from the volume, and say what the disk has back
#   verify ID                    hash a checkpoint on the volume against its manifest
#   freeze SECONDS               what was written to the volume is on the disk, and its file system stands still for so long where it
#                                can; a notice or a seal lets it go
#   thaw                         lets it go; whether it has stood still until now
#   pack ID                      a checkpoint as a tar stream on stdout
#   manifest ID                  its manifest on stdout
#   give ID [FROM]               the contents of files that standard input names, one after the other, on stdout
#   receive ID begin|files|seal  a checkpoint arrives on the volume: its manifest, its files as tar streams, its name
#   marks                        what is done by now since it began, as `status` says it, to the last word
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

# What choose_hasher chose for, and the names that hash_tree reads.
hasher_for='' hash_only=''

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
