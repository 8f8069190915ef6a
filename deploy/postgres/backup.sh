#!/bin/sh
# Writes both databases into a folder that does not exist yet, while everything goes on. As the superuser; the server is
# where PGHOST and PGPORT say, its password in PGPASSWORD or in the file $SECRETS/postgres.
#
# The notifier's database comes first. So the log in the backup is as new as the notifier's cursors or newer, never older:
# the notifier applies what its cursors have not seen, as after any pause. The other way round its cursors would be ahead of
# the log, and the first facts after a restore would be taken for repeats.
set -eu
umask 077
directory=${1:?usage: backup.sh FOLDER}
export PGUSER="${PGUSER:-postgres}" PGCONNECT_TIMEOUT=10
if [ -z "${PGPASSWORD:-}" ]; then
    PGPASSWORD=$(cat "${SECRETS:-/run/secrets}/postgres")
    export PGPASSWORD
fi

[ ! -e "$directory" ] || { echo "$directory exists already" >&2; exit 1; }
unfinished=$directory.part
rm -rf -- "$unfinished"
mkdir -p -- "$unfinished"
trap 'rm -rf -- "$unfinished"' EXIT
trap 'exit 130' INT TERM

entries=
for database in notifier leads; do
    echo "$database: dumping"
    # One snapshot of the whole database: nobody waits for it, and it waits for nobody.
    pg_dump --format=custom --lock-wait-timeout=60s --dbname="$database" --file="$unfinished/$database.dump"
    # Of the dump itself, whatever has been migrated since.
    revision=$(pg_restore --data-only --table=alembic_version --file=- "$unfinished/$database.dump" | sed -n '/^COPY/{n;p;}')
    [ -n "$revision" ] || { echo "$database was never migrated: there is nothing to back up" >&2; exit 1; }
    sum=$(sha256sum <"$unfinished/$database.dump" | cut -d' ' -f1)
    bytes=$(wc -c <"$unfinished/$database.dump" | tr -d ' ')
    echo "$database: $bytes bytes, revision $revision"
    entries="$entries${entries:+,}
  \"$database\": {\"file\": \"$database.dump\", \"revision\": \"$revision\", \"bytes\": $bytes, \"sha256\": \"$sum\"}"
    echo "$sum  $database.dump" >>"$unfinished/SHA256SUMS"
done

cat >"$unfinished/manifest.json" <<END
{
  "format": 1,
  "created_at": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
  "leadwire": "${LEADWIRE_VERSION:-unknown}",
  "postgresql": "$(psql --no-psqlrc --quiet --tuples-only --no-align --dbname=leads --command='SHOW server_version')",
  "pg_dump": "$(pg_dump --version | cut -d' ' -f3)",$entries
}
END
sha256sum <"$unfinished/manifest.json" | sed 's/-$/manifest.json/' >>"$unfinished/SHA256SUMS"
sync
mv -- "$unfinished" "$directory"
echo "$directory is complete"
