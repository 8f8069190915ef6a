#!/bin/sh
# Makes the roles and databases, and sets each role's password to what its file says. As the superuser; any number of times.
# SECRETS is the folder with one file a role, called like it. The server is where PGHOST says.
set -eu
here=$(dirname "$0")
SECRETS=${SECRETS:-/run/secrets}
export SECRETS PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=5
PGPASSWORD=$(cat "$SECRETS/postgres")
export PGPASSWORD

tries=60
until psql --no-psqlrc --quiet --command 'SELECT' >/dev/null 2>&1; do
    tries=$((tries - 1))
    # The last try says why.
    [ "$tries" -gt 0 ] || exec psql --no-psqlrc --command 'SELECT'
    sleep 1
done
psql --no-psqlrc --quiet --file "$here/roles.sql"
psql --no-psqlrc --quiet --file "$here/passwords.sql"
echo "roles are as they should be"
