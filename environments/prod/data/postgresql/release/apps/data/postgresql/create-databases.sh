#!/bin/sh
# Creates a role and a database for each folder under /run/secrets/databases (or the argument), and sets the role's password to
# the Secret's value.
# Runs at every sync (job.yaml): a service added later is served too, and a changed password arrives. Doing it twice changes nothing.
set -eu

# A new pod's address takes a moment to reach what enforces the network policies, and PostgreSQL may be starting.
# The Job's deadline ends the wait.
until pg_isready --quiet; do sleep 1; done

for folder in "${1:-/run/secrets/databases}"/*/; do
  name=$(basename "$folder")
  password=$(cat "$folder/password")

  # psql quotes both values (:"name" as an identifier, :'password' as a string): no value can become a command.
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set name="$name" --set password="$password" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'name') \gexec
SQL
  echo "database $name is ready"
done
