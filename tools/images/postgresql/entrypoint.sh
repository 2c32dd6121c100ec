#!/bin/sh
# Makes a database cluster in PGDATA if there is none, then becomes the server.
set -eu

if [ "${1#-}" != "$1" ]; then
  set -- postgres "$@"
fi

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?set the password that the user postgres shall have}"
  # What an initdb that was cut short has left would keep the next one from starting.
  if [ -d "$PGDATA" ]; then
    find "$PGDATA" -mindepth 1 -delete
  fi
  umask 077
  mkdir -p "$PGDATA"
  password=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" > "$password"
  initdb --pgdata "$PGDATA" --username postgres --pwfile "$password" --auth-host scram-sha-256 --auth-local trust \
    --encoding UTF8 --no-instructions
  rm -f "$password"
fi

exec "$@"
