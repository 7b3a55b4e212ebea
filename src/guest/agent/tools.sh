# The agent: the tools' spellings.

# Kind and rights, octal mode, size, mtime, inode, blocks of 512 bytes, owner, mtime and ctime in all the digits there are (three
# words each), name. find's `.//.` puts a `//` at the head of every name and nowhere else, so that names with newlines can be told
# apart.
if find / -maxdepth 0 -printf '' 2>/dev/null; then
  stat_all() { find .//. \( -type f -o -type d -o -type l \) -printf '%M %m %s %T@ %i %b %U.%G %T@ - - %C@ - - %p\n'; }
else
  stat_all() { find .//. \( -type f -o -type d -o -type l \) -exec stat -c '%A %a %s %Y %i %b %u.%g %y %z %n' {} +; }
fi
# [only process]
# macOS.
if ! stat -c %s / >/dev/null 2>&1; then
  stat_all() { find .//. \( -type f -o -type d -o -type l \) -exec stat -f '%Sp %Mp%Lp %z %m %i %b %u.%g %Fm - - %Fc - - %N' {} +; }
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

processors() {
  processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null) || processors=$(nproc 2>/dev/null) || processors=2
  echo "$processors"
}
