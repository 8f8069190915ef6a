#!/bin/sh
# Starts NATS in a container: passwords come from a file of lines NAME=value, further options as arguments.
# NATS_ROUTES, if set, makes it one of a cluster: `host:port` of the others, with commas between.
# NATS_CONFIG, if set, is the configuration.
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
    # Clients are not told the addresses of the other servers: one that is gone may be somebody else's tomorrow, and many
    # libraries try it without the password that they were given for another address.
    set -- --cluster_name leadwire --cluster "nats://route:$NATS_ROUTE_PASSWORD@0.0.0.0:6222" --routes "$routes" \
        --no_advertise "$@"
fi
exec nats-server --config "${NATS_CONFIG:-/etc/leadwire/nats.conf}" "$@"
