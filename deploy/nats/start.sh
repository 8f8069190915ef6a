#!/bin/sh
# Starts NATS in a container: passwords come from a file of lines NAME=value, further options as arguments.
# NATS_ROUTES, if set, makes it one of a cluster: `host:port` of the others, with commas between.
set -eu
set -a
# shellcheck source=/dev/null # made by `./leadwire secrets`
. "${NATS_PASSWORDS_FILE:-/run/secrets/NATS_PASSWORDS}"
set +a

if [ -n "${NATS_ROUTES:-}" ]; then
    routes=
    for other in $(echo "$NATS_ROUTES" | tr ',' ' '); do
        routes="$routes${routes:+,}nats://route:$NATS_ROUTE_PASSWORD@$other"
    done
    set -- --cluster_name leadwire --cluster "nats://route:$NATS_ROUTE_PASSWORD@0.0.0.0:6222" --routes "$routes" "$@"
fi
exec nats-server --config /etc/leadwire/nats.conf "$@"
