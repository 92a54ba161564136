#!/usr/bin/env bash
# Supervisor, for the packaging tests. `prepare` installs it and prints the folder of supervisord and supervisorctl.
# Needs python3 with venv.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
case "${1:-prepare}" in
  prepare) once python_environment; echo "$CACHE/venv/bin" ;;
  *) die "usage: run.sh prepare" ;;
esac
