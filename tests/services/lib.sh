# What the run.sh of every service shares. Source it; do not run it.
#   SERVICES_CACHE  what is downloaded once: jars, Python environments. Default: target/services of this project.
#   SERVICES_DIR    one running set of services: data, logs, process ids. Default: SERVICES_CACHE/run.
# Nothing is written beside the scripts.
HERE=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
NAME=$(basename "$HERE")
: "${SERVICES_CACHE:=$(cd "$HERE/../../.." && pwd)/target/services}"
: "${SERVICES_DIR:=$SERVICES_CACHE/run}"
CACHE=$SERVICES_CACHE/$NAME
RUN=$SERVICES_DIR/$NAME

die() { echo "$NAME: $*" >&2; exit 1; }

# once COMMAND...: runs it with $CACHE locked, unless it ran before with the same folder of scripts.
once() {
  local stamp
  mkdir -p "$CACHE"
  stamp=$(cat "$HERE"/* | sha256sum | cut -c1-16)
  (
    flock 9
    [ "$(cat "$CACHE/.stamp" 2>/dev/null)" = "$stamp" ] && exit 0
    "$@" >&2 && echo "$stamp" > "$CACHE/.stamp"
  ) 9> "$CACHE.lock" || die "could not be prepared"
}

# Jars of pom.xml and the launcher compiled against them.
java_node() {
  rm -rf "$CACHE/lib" "$CACHE/classes"
  mvn -q -B -Dstyle.color=never -f "$HERE/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$CACHE/lib" \
    && javac -nowarn -cp "$CACHE/lib/*" -d "$CACHE/classes" "$HERE/Launcher.java"
}

# A Python environment with requirements.txt.
python_environment() {
  rm -rf "$CACHE/venv"
  python3 -m venv "$CACHE/venv" \
    && "$CACHE/venv/bin/pip" -q --disable-pip-version-check install -r "$HERE/requirements.txt"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start COMMAND...: detached from this shell; process id in $RUN/pid, output in $RUN/log.
start() {
  setsid nohup "$@" > "$RUN/log" 2>&1 < /dev/null &
  PID=$!
  echo "$PID" > "$RUN/pid"
}

# wait_for SECONDS TEST...: until the test succeeds; fails when the server exits or the time is over.
wait_for() {
  local end=$(( $(date +%s) + $1 )); shift
  until "$@" > /dev/null 2>&1; do
    kill -0 "$PID" 2>/dev/null || { tail -20 "$RUN/log" >&2; die "the server exited"; }
    [ "$(date +%s)" -lt "$end" ] || { tail -20 "$RUN/log" >&2; kill "$PID"; die "the server did not get ready in time"; }
    sleep 0.1
  done
}

# stop: TERM, then KILL after 10 s; only the recorded process, and only while it is still the one we started.
stop() {
  local process
  [ -f "$RUN/pid" ] || return 0
  process=$(cat "$RUN/pid"); rm -f "$RUN/pid"
  grep -qaF "$SERVICES_DIR" "/proc/$process/cmdline" 2>/dev/null || return 0
  kill "$process" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 "$process" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$process" 2>/dev/null || true
}

# search_engine ARGUMENTS...: the whole run.sh of OpenSearch and Elasticsearch.
search_engine() {
  local port
  case "${1:-start}" in
    prepare) once java_node ;;
    start)
      once java_node
      stop
      port=${2:-$(free_port)}
      [ -n "${KEEP:-}" ] || rm -rf "$RUN/home"
      mkdir -p "$RUN/home"
      start java -Xms"${HEAP:-512m}" -Xmx"${HEAP:-512m}" -XX:TieredStopAtLevel="${TIER:-1}" \
        -Djava.awt.headless=true -Dlog4j2.disable.jmx=true \
        -cp "$CACHE/classes:$CACHE/lib/*" Launcher "$RUN/home" "$port" "${@:3}"
      wait_for 180 curl -fs "http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=5s"
      echo "http://127.0.0.1:$port" ;;
    stop) stop ;;
    *) die "usage: run.sh prepare | start [port] [setting=value ...] | stop" ;;
  esac
}
