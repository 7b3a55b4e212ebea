# The agent: what a folder holds.

# vanished FILE: whether a program that walked through a folder has met nothing worse than names that were gone when it came to them,
# as the temporary files of a workload that renames them; FILE is what it said. Whoever asks compares what he has with another look.
vanished() { [ -s "$1" ] && ! grep -v ': No such file or directory$' "$1" >&2; }

# describe FOLDER LIST: one sorted line an entry: path, kind, mode, size, mtime, identity (of a folder: its owner), ctime; tabs
# between them. In paths, backslash, newline and tab are written \\, \n and \t. LIST.holes: path and the bytes of files that take
# less of the disk than their size.
describe() {
  true >"$2.holes" || return 1
  # A walk that comes to its end says so.
  (cd "$1" && { stat_all 2>"$2.err" || vanished "$2.err"; } && echo ' .//.') | awk -v holes="$2.holes" '
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
      if (field[6] * 512 < size) print path "\t" size - field[6] * 512 >holes
      print path "\t" kind "\t" (field[2] + 0) "\t" size "\t" field[4] "\t" \
        (kind == "d" ? field[7] "\t-" : field[5] "." field[8] "." field[9] "\t" field[11] field[12])
    }
    { at = index($0, " .//.")
      if (at) { done(); split(substr($0, 1, at), field, " "); path = plain(substr($0, at + 6)) }
      else path = path "\\n" plain($0) }
    END { done(); exit at != 1 }' >"$2.rows" && sort "$2.rows" >"$2"
}

# look LIST: describes the checkpoint folder, in a look that has met no name that was gone: under another one the same file may have lain
# there all the time. Returns 7 with $refusal.
look() {
  look_try=0
  until describe "$CKPT" "$1" && [ ! -s "$1.err" ]; do
    look_try=$((look_try + 1))
    [ "$look_try" -lt "$MOST_TRIES" ] && vanished "$1.err" || refuse "$CKPT could not be read: $(head -n 1 "$1.err")" || return
    nap 0.5
  done
}

# names LIST: the paths of LIST, and of LIST.odd where they have a backslash, each with a NUL at its end.
names() { tr '\n' '\000' <"$1" && while IFS= read -r name; do printf '%b\000' "$name"; done <"$1.odd"; }

# spread NAMES SCRIPT WORD: runs a script of shell for names with a NUL at each end, many at once, in several processes; WORD is its $0.
spread() {
  [ -s "$1" ] || return 0
  spread_jobs=$(processors)
  xargs -0 -n $(($(tr -cd '\000' <"$1" | wc -c) / (spread_jobs * 4) + 1)) -P "$spread_jobs" sh -c "$2" "$3" <"$1"
}

# hash_tree FOLDER EXPECTED OUT: `path<tab>sha256` for each file of the folder, several at a time; where $hash_only says a list
# of names, only for these.
hash_tree() {
  if grep -q '\\n' "$2"; then choose_hasher odd; else choose_hasher plain; fi
  mkdir -p "$3.d" && true >"$3.d/0" || return 1
  # Each process writes a file of its own: lines of several writers on one pipe could be torn.
  if [ -n "$hash_only" ]; then names "$hash_only"; else (cd "$1" && find .//. -type f -print0); fi >"$3.names" || return 1
  # shellcheck disable=SC2016 # the variables are the inner shell's
  (cd "$1" && spread "$3.names" "$HASHER"' "$@" >>"$0/$$"' "$3.d") || return 1
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
    END { done() }' "$3.d"/* >"$3" || return 1
  if [ -n "$hash_only" ]; then cat "${hash_only%/*}/carried" >>"$3" || return 1; fi
  rm -rf "$3.d"
}

# escaped TEXT: as in a manifest.
escaped() {
  case $1 in
    *\\* | *"$NL"* | *"$TAB"*)
      # The dot keeps a newline at the end from being lost.
      escaped=$(printf '%s.' "$1" | awk '{ gsub(/\\/, "&&"); gsub(/\t/, "\\t"); if (NR > 1) printf "\\n"; printf "%s", $0 }') || return 1
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
    escaped "${link#.//./}" || return 1
    printf '%s\t' "$escaped"
    escaped "${link_target%"$NL"}" || return 1
    printf '%s\n' "$escaped"
  done
}

# inventory FOLDER OUT EXPECTED: sorted `path kind mode size mtime content`, tabs between; content is the hash of a file,
# the target of a link, `-` for a folder. EXPECTED lists about what the folder holds, to choose the hasher by.
# Fails when a file could not be read.
inventory() {
  describe "$1" "$2.list" &
  inventory_list=$!
  hash_tree "$1" "$3" "$2.hash"
  inventory_code=$?
  wait "$inventory_list" || return 1
  [ "$inventory_code" -eq 0 ] || return 1
  true >"$2.link" || return 1
  if awk -F "$TAB" '$2 == "l" { found = 1 } END { exit !found }' "$2.list"; then link_targets "$1" >"$2.link" || return 1; fi
  awk -F "$TAB" -v OFS="$TAB" '
    FILENAME == ARGV[1] || FILENAME == ARGV[2] { content[$1] = $2; next }
    $2 == "d" { print $1, $2, $3, $4, $5, "-"; next }
    $1 in content { print $1, $2, $3, $4, $5, content[$1]; next }
    { missing = 1 }
    END { exit missing }' "$2.hash" "$2.link" "$2.list" >"$2"
}
