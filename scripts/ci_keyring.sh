#!/bin/sh
# Run one command with a Secret Service of its own: a private D-Bus session and an unlocked login keyring.
# Needs gnome-keyring and dbus; use a throw-away HOME.   ci_keyring.sh COMMAND [ARGUMENT …]
#
# The daemon runs in the foreground as our child, so that it ends with the command whatever happens. Its arrival is
# awaited by asking the bus for the name's owner: calling the service itself would start a second, locked daemon.
# gnome-keyring 42 was seen to end by itself under hundreds of callers; then another, unlocked one takes its place.
exec dbus-run-session -- sh -c '
  keep_daemon() {
    trap "kill \$daemon; exit" TERM
    while :; do
      printf %s ci-only | gnome-keyring-daemon --foreground --replace --unlock --components=secrets >/dev/null 2>&1 &
      daemon=$!
      wait "$daemon"
      echo "ci_keyring.sh: gnome-keyring-daemon ended by itself ($?); another one is started" >&2
    done
  }
  keep_daemon &
  keeper=$!
  tries=0
  until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
      string:org.freedesktop.secrets 2>/dev/null | grep -q true; do
    tries=$((tries + 1))
    if [ "$tries" -gt 500 ]; then
      echo "ci_keyring.sh: gnome-keyring-daemon did not appear on the bus within 10 s" >&2
      kill "$keeper"
      exit 70
    fi
    sleep 0.02
  done
  "$@"
  status=$?
  kill "$keeper"
  exit "$status"
' sh "$@"
