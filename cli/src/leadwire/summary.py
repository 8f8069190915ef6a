"""What a person, a shell and a tool need to know of a running stack."""

from pathlib import Path

from leadwire import demo
from leadwire.credentials import EXAMPLES
from leadwire.topology import Topology


def addresses(topology: Topology, environment: Path, *, with_demo: bool) -> dict[str, str]:
    """Return label → value, in the order in which to print them."""
    keys = topology.credentials
    screen = {} if topology.web_dir is None else {"Screen": topology.public_gateway_url}
    users = {
        "Log in as": f"{demo.USERS[0][1]}, password {keys.demo_password}",
        "or as": f"{demo.OTHER_USERS[0][1]}, same password: another company, which sees nothing of the first",
    }
    return {
        **screen,
        "REST API": f"{topology.public_leads_url} (documentation: {topology.public_leads_url}/docs)",
        "WebSocket": f"{topology.public_gateway_url.replace('http', 'ws', 1)}/app/{keys.pusher_app_key}",
        "Notifier": topology.public_notifier_url,
        "Variables": str(environment),
        **(users if with_demo else {}),
    }


def variables(topology: Topology) -> dict[str, str]:
    """Return what goes into the environment file. Others rely on these names."""
    keys = topology.credentials
    return {
        "LEADS_URL": topology.public_leads_url,
        "NOTIFIER_URL": topology.public_notifier_url,
        "GATEWAY_URL": topology.public_gateway_url,
        "LEADS_ADMIN_URL": topology.leads.admin_url,
        "NOTIFIER_ADMIN_URL": topology.notifier.admin_url,
        "GATEWAY_ADMIN_URL": topology.gateway.admin_url,
        "RELAY_ADMIN_URL": topology.relay.admin_url,
        "WORKER_ADMIN_URL": topology.worker.admin_url,
        "NATS_URL": topology.nats_url("operator"),
        "DATABASE_URL": topology.superuser_url,
        "PUSHER_APP_ID": keys.pusher_app_id,
        "PUSHER_APP_KEY": keys.pusher_app_key,
        "PUSHER_APP_SECRET": keys.pusher_app_secret,
        "DEMO_EMAIL": demo.USERS[0][1],
        "DEMO_PASSWORD": keys.demo_password,
        "DEMO_COMPANY_ID": keys.demo_company_id,
        "OTHER_EMAIL": demo.OTHER_USERS[0][1],
        "OTHER_COMPANY_ID": keys.other_company_id,
        **{f"{user.upper().replace('-', '_')}_NATS_URL": topology.nats_url(user) for user in EXAMPLES},
    }
