#!/bin/sh
# The password comes from a Secret and goes into a file in memory: on the command line every process list would show it.
set -eu
umask 077
password=$(printf %s "$REDISCLI_AUTH" | sed 's/[\\"]/\\&/g')
printf 'requirepass "%s"\n' "$password" > /run/redis/auth.conf
exec redis-server /etc/redis/redis.conf --include /run/redis/auth.conf
