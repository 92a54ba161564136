#!/usr/bin/env bash
# OpenSearch, one node, HTTP on 127.0.0.1. Prints its URL when it answers.
#   run.sh prepare | start [port] [setting=value ...] | stop
# Data is empty at every start unless KEEP is set. HEAP (512m) is the Java heap; TIER=4 compiles fully (slower to start).
# Needs mvn, a JDK of at least version 17, python3 and curl.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
search_engine "$@"
