#!/usr/bin/env bash
# A capturing SMTP server on 127.0.0.1. Prints two lines: host:port, and the file that gets one JSON object per message.
#   run.sh prepare | start [port] [server.py options ...] | stop | cert (prints the paths of a self-signed pair)
# Needs python3 with venv; cert needs openssl.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
case "${1:-start}" in
  prepare) once python_environment ;;
  start)
    once python_environment
    stop
    mkdir -p "$RUN"
    port=${2:-$(free_port)}
    rm -f "$RUN/mail.jsonl"
    start "$CACHE/venv/bin/python" "$HERE/server.py" "$RUN/mail.jsonl" "$port" "${@:3}"
    wait_for 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
    echo "127.0.0.1:$port"
    echo "$RUN/mail.jsonl" ;;
  cert)
    mkdir -p "$RUN"
    [ -f "$RUN/key.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost \
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$RUN/key.pem" -out "$RUN/cert.pem" 2>/dev/null
    echo "$RUN/cert.pem $RUN/key.pem" ;;
  stop) stop ;;
  *) die "usage: run.sh prepare | start [port] [option ...] | stop | cert" ;;
esac
