#!/usr/bin/env bash
# rsyslog, unpacked from Debian's packages without installing a system service.
#   run.sh prepare | start CONFIGURATION | stop
# CONFIGURATION is a complete rsyslog configuration. Needs apt-get with package lists, and dpkg.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
unpack() {
  rm -rf "$CACHE/debs" "$CACHE/unpacked"
  mkdir -p "$CACHE/debs"
  (cd "$CACHE/debs" && apt-get -qq -o APT::Sandbox::User=root download rsyslog libestr0 libfastjson4 liblognorm5) || return
  for package in "$CACHE"/debs/*.deb; do dpkg -x "$package" "$CACHE/unpacked" || return; done
}
case "${1:-}" in
  prepare) once unpack ;;
  start)
    once unpack
    stop
    mkdir -p "$RUN"
    libraries=$(dirname "$(find "$CACHE/unpacked/usr/lib" -name 'libestr.so.0')")
    # The configuration lies under SERVICES_DIR, so that `stop` knows the process by its arguments.
    cp "$2" "$RUN/rsyslog.conf"
    start env LD_LIBRARY_PATH="$libraries" "$CACHE/unpacked/usr/sbin/rsyslogd" -n -i NONE -M "$libraries/rsyslog" -f "$RUN/rsyslog.conf" ;;
  stop) stop ;;
  *) die "usage: run.sh prepare | start CONFIGURATION | stop" ;;
esac
