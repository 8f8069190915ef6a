#!/bin/sh
# Brings both databases to what a backup holds: `restore.sh FOLDER [--replace]`. As the superuser, to a server that has the
# roles (roles.sh); where it is and its password are told as to backup.sh.
#
# Refused while anybody is connected, and, without --replace, where there are companies already. What is there is dropped only
# when both dumps have been read completely. Migrating, and filling the streams again, comes after it (docs/operations/backup.md).
set -eu
here=$(dirname "$0")
directory=${1:?usage: restore.sh FOLDER [--replace]}
replace=${2:-}
export PGUSER="${PGUSER:-postgres}" PGDATABASE=postgres PGCONNECT_TIMEOUT=10 PGOPTIONS="-c client_min_messages=warning"
if [ -z "${PGPASSWORD:-}" ]; then
    PGPASSWORD=$(cat "${SECRETS:-/run/secrets}/postgres")
    export PGPASSWORD
fi

refuse() { echo "$1" >&2; exit 1; }
ask() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=on --dbname="$1" --command="$2"; }

grep -q '"format": 1,' "$directory/manifest.json" || refuse "$directory holds no backup that this release can read"
(cd "$directory" && sha256sum --check --quiet SHA256SUMS) || refuse "$directory is damaged: a checksum differs"

users=$(ask postgres "SELECT count(*) FROM pg_stat_activity
    WHERE datname IN ('leads', 'notifier') AND backend_type = 'client backend' AND pid <> pg_backend_pid()")
[ "$users" = 0 ] || refuse "$users connections use the databases: stop leads-api, leads-relay and notifier first"

if [ "$replace" != --replace ]; then
    for place in leads.companies notifier.cursors; do
        database=${place%.*} table=${place#*.}
        exists=$(ask "$database" "SELECT to_regclass('public.$table') IS NOT NULL")
        [ "$exists" = f ] || [ "$(ask "$database" "SELECT EXISTS (SELECT FROM $table)")" = f ] ||
            refuse "the database $database holds data already: --replace drops it"
    done
fi

for database in leads notifier; do
    echo "$database: restoring"
    ask postgres "DROP DATABASE IF EXISTS ${database}_restored"
    ask postgres "CREATE DATABASE ${database}_restored OWNER ${database}_owner"
    pg_restore --exit-on-error --single-transaction --dbname="${database}_restored" "$directory/$database.dump"
    ask "${database}_restored" ANALYZE
done
# What the restored log numbers from now on, the one before may have numbered as well: another epoch tells them apart. A backup
# of a release without epochs gets its first one when it is migrated.
if [ "$(ask leads_restored "SELECT to_regclass('public.epochs') IS NOT NULL")" = t ]; then
    ask leads_restored "SELECT public.begin_epoch('restored from a backup')" >/dev/null
fi
for database in leads notifier; do
    ask postgres "DROP DATABASE $database"
    ask postgres "ALTER DATABASE ${database}_restored RENAME TO $database"
done
psql --no-psqlrc --quiet --file "$here/roles.sql"  # who may connect is not in a dump
echo "both databases are restored"
