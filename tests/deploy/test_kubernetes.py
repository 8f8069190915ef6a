"""The Kubernetes overlays as they render: valid, closed, drained in time, and telling each process what it reads."""

import re
from typing import Any

import kubernetes_validate
import pytest
from kubernetes_validate.utils import SchemaNotFoundError

from leadwire import secret_files
from leadwire.topology import Endpoint
from support.deploying import PROCESSES, told, variables
from support.manifests import (
    FOLDER,
    NAME,
    OVERLAYS,
    Pod,
    arrows,
    containers,
    matches,
    named,
    pods,
    rendered,
    rendered_text,
    workloads,
)

VERSION = "1.37"
FOREIGN = {"Cluster", "PodMonitor", "PrometheusRule"}
"""Of operators: their schemas are not in the package."""
CONTAINERS = {
    ("leads-api", "leads-api"): "leads-api",
    ("leads-relay", "leads-relay"): "leads-relay",
    ("leads-worker", "leads-worker"): "leads-worker",
    ("notifier", "notifier"): "notifier",
    ("gateway", "gateway"): "gateway",
    ("migrate", "leads"): "migrate-leads",
    ("migrate", "notifier"): "migrate-notifier",
}
"""Which container is which process."""
EDGE = Pod("ingress", (), (("leadwire.dev/ingress", "true"),))
MONITORING = Pod("prometheus", (), (("leadwire.dev/monitoring", "true"),))
OPERATOR = Pod("operator", (), (("kubernetes.io/metadata.name", "cnpg-system"),))
NAMES = Pod("dns", (("k8s-app", "kube-dns"),), (("kubernetes.io/metadata.name", "kube-system"),))
WORLD = Pod("the world", (), ())
STRANGERS = [EDGE, MONITORING, OPERATOR, NAMES, WORLD]
NATS, POSTGRES, DNS, OTLP = 4222, 5432, 53, 4318
DRAWN = {
    ("ingress", "leads-api", 8000),
    ("ingress", "notifier", 8001),
    ("ingress", "gateway", 6001),
    *((name, "nats", NATS) for name in ("leads-api", "leads-relay", "notifier", "gateway", "migrate")),
    *((name, "postgres", POSTGRES) for name in ("leads-api", "leads-relay", "leads-worker", "notifier", "migrate")),
    ("nats", "nats", 6222),
    ("gateway", "the world", 443),
}
"""The arrows of docs/architecture.md, the routes of a cluster and the gateway's webhooks."""
ONLY_IN_PRODUCTION = {
    *(
        (MONITORING.name, name, port)
        for name, port in (("leads-api", 8100), ("leads-relay", 8100), ("leads-worker", 8100))
    ),
    *((MONITORING.name, name, port) for name, port in (("notifier", 8101), ("gateway", 6101))),
    *((name, MONITORING.name, OTLP) for name in ("leads-api", "leads-relay", "notifier", "gateway")),
    *((source, "postgres", port) for source in ("postgres", "operator") for port in (POSTGRES, 8000)),
    # The API server has no label; an instance reaches these ports anywhere that lets it in.
    *(("postgres", stranger.name, port) for stranger in STRANGERS for port in (443, 6443)),
}

everywhere = pytest.mark.parametrize("overlay", OVERLAYS)


@everywhere
def test_every_object_is_valid(overlay: str) -> None:
    unknown = set()
    for each in rendered(overlay):
        try:
            kubernetes_validate.validate(each, VERSION, strict=True)
        except SchemaNotFoundError:
            unknown.add(each["kind"])

    assert unknown <= FOREIGN


@everywhere
def test_every_pod_is_restricted(overlay: str) -> None:
    for name, template in workloads(overlay).items():
        pod = template["spec"]["securityContext"]
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] > 0, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & template["spec"].keys(), name
        assert all({"secret", "configMap", "emptyDir"} & volume.keys() for volume in template["spec"]["volumes"]), name
        for container in containers(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (name, container["name"])


@everywhere
def test_the_namespace_refuses_other_pods(overlay: str) -> None:
    (namespace,) = rendered(overlay, "Namespace")

    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    everything = {each["metadata"].get("namespace") for each in rendered(overlay) if each["kind"] != "Namespace"}
    assert everything == {namespace["metadata"]["name"]}


@everywhere
def test_nobody_holds_a_token_and_each_has_an_account_of_its_own(overlay: str) -> None:
    accounts = named(overlay, "ServiceAccount")

    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())
    for name, template in workloads(overlay).items():
        assert template["spec"]["automountServiceAccountToken"] is False, name
        assert template["spec"]["serviceAccountName"] == name
        assert name in accounts


@everywhere
def test_every_container_asks_for_what_it_needs_and_is_bounded(overlay: str) -> None:
    for name, template in workloads(overlay).items():
        for container in containers(template):
            resources = container["resources"]
            assert resources["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in resources["limits"], name
            # A limit of CPU would stop a process in the middle of its event loop.
            assert "cpu" not in resources["limits"], name


@everywhere
def test_images_have_a_version(overlay: str) -> None:
    images = {container["image"] for template in workloads(overlay).values() for container in containers(template)}

    assert all(re.search(r":(?!latest)[\w.-]+$", image) for image in images), images


@everywhere
def test_no_secret_is_in_the_objects(overlay: str) -> None:
    assert rendered(overlay, "Secret") == []
    environments = [c.get("env", []) for template in workloads(overlay).values() for c in containers(template)]
    secret = re.compile(r"(PASSWORD|SECRET|_URL|_KEY)$")
    told_openly = {item["name"] for environment in environments for item in environment if secret.search(item["name"])}
    assert told_openly <= {"GATEWAY_WEB_API_URL", "GATEWAY_WEB_NOTIFIER_URL"}


@everywhere
@pytest.mark.parametrize(("place", "process"), CONTAINERS.items())
def test_a_process_is_told_what_it_needs_and_nothing_that_it_does_not_read(
    overlay: str, place: tuple[str, str], process: str
) -> None:
    workload, name = place
    (container,) = (each for each in containers(workloads(overlay)[workload]) if each["name"] == name)

    given, unknown = told({item["name"]: item.get("value") for item in container["env"]}, PROCESSES[process])
    needed = {variable for variable, is_needed in variables(PROCESSES[process]).items() if is_needed}
    assert unknown == set()
    assert needed <= given


@everywhere
def test_every_file_that_is_named_is_in_a_secret_that_is_mounted(overlay: str, tmp_path: Any) -> None:
    secret_files.write(tmp_path, postgres=Endpoint("postgres-rw", 5432), nats=Endpoint("nats", 4222))
    for name, template in workloads(overlay).items():
        volumes = {volume["name"]: volume.get("secret", {}).get("secretName") for volume in template["spec"]["volumes"]}
        for container in containers(template):
            mounts = {mount["mountPath"]: volumes.get(mount["name"], "") for mount in container["volumeMounts"]}
            for item in container.get("env", []):
                if str(item.get("value", "")).startswith("/run/secrets/leadwire/"):
                    folder, _, file = item["value"].rpartition("/")
                    assert (tmp_path / mounts[folder] / file).is_file(), (name, item)
        assert all((tmp_path / secret).is_dir() for secret in volumes.values() if secret), volumes


@everywhere
def test_a_deployment_never_has_less_than_it_should(overlay: str) -> None:
    budgets = [each["spec"]["selector"] for each in rendered(overlay, "PodDisruptionBudget")]
    scaled = {each["spec"]["scaleTargetRef"]["name"]: each for each in rendered(overlay, "HorizontalPodAutoscaler")}
    for name, deployment in named(overlay, "Deployment").items():
        spec = deployment["spec"]
        labels = spec["template"]["metadata"]["labels"]
        assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert [matches(selector, labels) for selector in budgets].count(True) == 1, name
        least = scaled[name]["spec"]["minReplicas"] if name in scaled else spec["replicas"]
        assert least == 2, name
        assert ("replicas" in spec) is (name not in scaled)
        spread = {each["topologyKey"] for each in spec["template"]["spec"]["topologySpreadConstraints"]}
        assert spread == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert scaled.keys() == {"gateway", "leads-api"}


@everywhere
def test_gateways_are_scaled_by_connections_and_else_by_cpu(overlay: str) -> None:
    metrics = named(overlay, "HorizontalPodAutoscaler")["gateway"]["spec"]["metrics"]

    assert [metric["type"] for metric in metrics] == ["Pods", "Resource"]
    assert metrics[0]["pods"]["metric"]["name"] == "gateway_connections"
    limit = int(setting(overlay, "gateway", "GATEWAY_MAX_CONNECTIONS"))
    assert int(metrics[0]["pods"]["target"]["averageValue"]) * 2 <= limit


@everywhere
def test_probes_are_cheap_for_life_and_honest_for_readiness(overlay: str) -> None:
    for name in named(overlay, "Deployment"):
        (container,) = workloads(overlay)[name]["spec"]["containers"]
        probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        paths = {kind: probe["path"] for kind, probe in probes.items()}
        assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}, name
        assert {probe["port"] for probe in probes.values()} == {"admin"}, name


@everywhere
def test_no_service_and_so_no_ingress_leads_to_an_admin_port(overlay: str) -> None:
    for service in rendered(overlay, "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]}.isdisjoint({"admin", 6101, 8100, 8101}), (
            service
        )


@everywhere
def test_a_process_is_given_longer_than_it_takes_to_end(overlay: str) -> None:
    settings = PROCESSES["gateway"].model_fields
    drain = float(setting(overlay, "gateway", "GATEWAY_DRAIN_SECONDS"))
    longest = {
        "gateway": drain + float(settings["close_seconds"].default) + 1,
        **dict.fromkeys(
            ("leads-api", "leads-relay", "leads-worker", "notifier"), 10.0
        ),  # uvicorn's timeout_graceful_shutdown
    }
    for name, seconds in longest.items():
        pod = workloads(overlay)[name]["spec"]
        pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] >= pause + seconds + 5, name


@everywhere
def test_a_release_waits_for_its_migration(overlay: str) -> None:
    for name in ("leads-api", "leads-relay", "leads-worker", "notifier"):
        (init,) = workloads(overlay)[name]["spec"]["initContainers"]
        assert init["args"] == ["wait"]
        assert init["image"] == workloads(overlay)[name]["spec"]["containers"][0]["image"]
    migrate = workloads(overlay)["migrate"]
    assert [container["name"] for container in containers(migrate)] == ["roles", "leads", "notifier"]
    released = {image(overlay, name) for name in ("leads-api", "notifier")}
    assert {container["image"] for container in containers(migrate)[1:]} == released


@everywhere
def test_only_drawn_arrows_are_open(overlay: str) -> None:
    names = {(pod.name, "dns", DNS) for pod in pods(overlay)}

    expected = DRAWN | names | (ONLY_IN_PRODUCTION if overlay == "prod" else set())
    assert arrows(overlay, STRANGERS) == expected


@everywhere
def test_one_host_leads_to_every_service(overlay: str) -> None:
    (ingress,) = rendered(overlay, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    services = named(overlay, "Service")

    routes = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert routes == {
        "/app": "gateway",
        "/apps": "gateway",
        "/api": "leads-api",
        "/api/notifier": "notifier",
        "/": "gateway",
    }
    assert setting(overlay, "leads-api", "LEADS_ROOT_PATH") == "/api"
    assert setting(overlay, "notifier", "NOTIFIER_ROOT_PATH") == "/api/notifier"
    labels = [template["metadata"]["labels"] for template in workloads(overlay).values()]
    behind = {
        name: [each for each in labels if matches({"matchLabels": service["spec"]["selector"]}, each)]
        for name, service in services.items()
    }
    assert all(len(each) == 1 for each in behind.values())


@everywhere
def test_sockets_may_be_silent_for_longer_than_a_gateway_lets_them(overlay: str) -> None:
    (ingress,) = rendered(overlay, "Ingress")
    idle = PROCESSES["gateway"].model_fields["idle_seconds"].default

    assert int(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > 2 * idle


def test_production_has_three_nats_servers_on_three_nodes() -> None:
    nats = named("prod", "StatefulSet")["nats"]["spec"]

    (rule,) = nats["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    routes = setting("prod", "nats", "NATS_ROUTES").split(",")
    service = named("prod", "Service")[nats["serviceName"]]["spec"]
    assert nats["replicas"] == 3
    assert routes == [f"nats-{number}.{nats['serviceName']}:6222" for number in range(3)]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    assert nats["volumeClaimTemplates"]
    (streams,) = (each for each in containers(workloads("prod")["migrate"]) if each["name"] == "leads")
    assert {"name": "LEADS_STREAM_REPLICAS", "value": "3"} in streams["env"]


def test_production_has_three_postgresql_servers_and_confirms_by_two() -> None:
    (cluster,) = rendered("prod", "Cluster")

    assert cluster["spec"]["instances"] == 3
    assert cluster["spec"]["postgresql"]["synchronous"] == {"method": "any", "number": 1}
    assert named("prod", "StatefulSet").keys() == {"nats"}


def test_production_is_watched_and_encrypted() -> None:
    (ingress,) = rendered("prod", "Ingress")
    (monitor,) = rendered("prod", "PodMonitor")

    assert ingress["spec"]["tls"][0]["hosts"] == [ingress["spec"]["rules"][0]["host"]]
    selected = {pod.name for pod in pods("prod") if matches(monitor["spec"]["selector"], dict(pod.labels))}
    assert selected == {"leads-api", "leads-relay", "leads-worker", "notifier", "gateway"}
    traced = selected - {"leads-worker"}
    assert all(setting("prod", name, "OTEL_EXPORTER_OTLP_ENDPOINT").endswith(f":{OTLP}") for name in traced)


def test_development_needs_no_operator() -> None:
    assert not FOREIGN & {each["kind"] for each in rendered("dev")}


def test_every_file_is_used_and_nothing_is_deprecated() -> None:
    assert all(rendered_text(overlay) for overlay in OVERLAYS)
    for folder in {path.parent for path in FOLDER.rglob("*.yaml")}:
        listing = (folder / "kustomization.yaml").read_text()
        files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert all(file in listing for file in files), folder


def setting(overlay: str, workload: str, name: str) -> str:
    environment = [item for container in containers(workloads(overlay)[workload]) for item in container["env"]]
    (value,) = (item["value"] for item in environment if item["name"] == name)
    return str(value)


def image(overlay: str, workload: str) -> str:
    return str(workloads(overlay)[workload]["spec"]["containers"][0]["image"])


def test_names_select_pods_by_the_label_that_policies_use() -> None:
    assert all(dict(pod.labels)[NAME] == pod.name for pod in pods("prod"))
