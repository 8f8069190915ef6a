"""The Kubernetes objects that an overlay renders to, and who of them may talk to whom."""

import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from leadwire import paths
from support.deploying import SCRIPTS

OVERLAYS: Final = ("dev", "prod")
NAME: Final = "app.kubernetes.io/name"
FOLDER: Final = paths.CHECKOUT / "deploy/k8s"

Object = dict[str, Any]


@functools.cache
def rendered_text(overlay: str) -> str:
    """Return an overlay as kubectl renders it."""
    command = [str(SCRIPTS / "kubectl"), "kustomize", str(FOLDER / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr, done.stderr
    return done.stdout


def rendered(overlay: str, *kinds: str) -> list[Object]:
    """Return the objects of an overlay, or those of some kinds."""
    return [each for each in _every(overlay) if not kinds or each["kind"] in kinds]


@functools.cache
def _every(overlay: str) -> list[Object]:
    return list(yaml.safe_load_all(rendered_text(overlay)))


def named(overlay: str, kind: str) -> dict[str, Object]:
    """Return the objects of a kind by name."""
    return {each["metadata"]["name"]: each for each in rendered(overlay, kind)}


def workloads(overlay: str) -> dict[str, Object]:
    """Return the pod templates by the name of what makes the pods."""
    found = rendered(overlay, "Deployment", "StatefulSet", "Job")
    return {each["metadata"]["name"]: each["spec"]["template"] for each in found}


def containers(template: Object) -> list[Object]:
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


@dataclass(frozen=True)
class Pod:
    """Somebody who talks, as network policies see them."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    namespace: tuple[tuple[str, str], ...] | None = None
    """The labels of another namespace; None: ours."""


def pods(overlay: str) -> list[Pod]:
    """Return a pod of each workload; CloudNativePG's have the labels that their Cluster hands on."""
    own = [Pod(name, tuple(template["metadata"]["labels"].items())) for name, template in workloads(overlay).items()]
    clusters = rendered(overlay, "Cluster")
    return own + [Pod("postgres", tuple(each["spec"]["inheritedMetadata"]["labels"].items())) for each in clusters]


def arrows(overlay: str, strangers: list[Pod]) -> set[tuple[str, str, int]]:
    """Return who may open a TCP connection to which port of whom, as the policies together allow it."""
    policies = [each["spec"] for each in rendered(overlay, "NetworkPolicy")]
    ours = pods(overlay)
    ports = sorted({port["port"] for policy in policies for rule in _rules(policy) for port in rule.get("ports", [])})
    return {
        (source.name, target.name, port)
        for source in [*ours, *strangers]
        for target in [*ours, *strangers]
        for port in ports
        if not (source in strangers and target in strangers)
        and _allowed(policies, source, target, port, "Egress", "to")
        and _allowed(policies, target, source, port, "Ingress", "from")
    }


def _rules(policy: Object) -> Iterator[Object]:
    yield from policy.get("ingress", [])
    yield from policy.get("egress", [])


def _allowed(policies: list[Object], pod: Pod, peer: Pod, port: int, direction: str, peers: str) -> bool:
    if pod.namespace is not None:
        return True  # another namespace's business
    about = [
        each for each in policies if direction in each["policyTypes"] and matches(each["podSelector"], dict(pod.labels))
    ]
    return not about or any(
        _has_port(rule, port) and (peers not in rule or any(_is(each, peer) for each in rule[peers]))
        for policy in about
        for rule in policy.get(direction.lower(), [])
    )


def _has_port(rule: Object, port: int) -> bool:
    return any(each["port"] == port and each["protocol"] == "TCP" for each in rule["ports"])


def _is(selector: Object, peer: Pod) -> bool:
    if "ipBlock" in selector:
        return peer.name == "the world"
    if "namespaceSelector" in selector:
        in_namespace = peer.namespace is not None and matches(selector["namespaceSelector"], dict(peer.namespace))
        return in_namespace and matches(selector.get("podSelector", {}), dict(peer.labels))
    return peer.namespace is None and matches(selector["podSelector"], dict(peer.labels))


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector matches; only the operator In is used here."""
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
    )
