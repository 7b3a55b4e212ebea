# The agent: asking by HTTP.

# [only local aws gcp alibaba]
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

# [end]

# [only process]
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
