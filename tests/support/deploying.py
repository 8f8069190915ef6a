"""What is deployed, as data: Dockerfiles, compose files, and the settings of each process."""

import re
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic_settings import BaseSettings

import gateway.settings
import leads.settings
import notifier.settings
from leadwire import paths
from runtime.tracing import TracingSettings

SERVICES: Final = ("leads", "notifier", "gateway")
SCRIPTS: Final = Path(sysconfig.get_path("scripts"))
PROCESSES: Final[Mapping[str, type[BaseSettings]]] = {
    "leads-api": leads.settings.ApiSettings,
    "leads-relay": leads.settings.RelaySettings,
    "leads-worker": leads.settings.WorkerSettings,
    "notifier": notifier.settings.Settings,
    "gateway": gateway.settings.Settings,
    "migrate-leads": leads.settings.MigrateSettings,
    "migrate-notifier": notifier.settings.DatabaseSettings,
    "provision": leads.settings.ProvisionSettings,
}
"""Each process that is deployed, and what reads its environment."""
TRACED: Final = {PROCESSES[name] for name in ("leads-api", "leads-relay", "notifier", "gateway")}
"""What runs for long reads the variables of OpenTelemetry, too."""
SUFFIX: Final = "_FILE"


def variables(kind: type[BaseSettings]) -> dict[str, bool]:
    """Return the variables that a process reads, and whether it needs them."""
    kinds = (kind, TracingSettings) if kind in TRACED else (kind,)
    return {
        f"{each.model_config.get('env_prefix', '')}{name}".upper(): field.is_required()
        for each in kinds
        for name, field in each.model_fields.items()
    }


def told(environment: Mapping[str, Any], kind: type[BaseSettings]) -> tuple[set[str], set[str]]:
    """Return the settings that an environment gives a process, and the variables that nobody reads."""
    known = variables(kind)
    given: set[str] = set()
    unknown: set[str] = set()
    for name in environment:
        setting = name if name in known else name.removesuffix(SUFFIX)
        (given if setting in known else unknown).add(setting if setting in known else name)
    return given, unknown


@dataclass(frozen=True)
class Stage:
    """One stage of a Dockerfile."""

    base: str
    name: str
    steps: tuple[tuple[str, str], ...]
    """Instruction and arguments, continued lines joined."""

    def all(self, instruction: str) -> list[str]:
        return [arguments for word, arguments in self.steps if word == instruction]


def dockerfile(service: str) -> Path:
    return paths.CHECKOUT / "services" / service / "Dockerfile"


def stages(service: str) -> list[Stage]:
    """Return the stages of a service's Dockerfile, the final one last."""
    found: list[Stage] = []
    defaults: dict[str, str] = {}
    for word, arguments in _instructions(dockerfile(service).read_text()):
        if word == "FROM":
            base, _, name = arguments.partition(" AS ")
            found.append(Stage(re.sub(r"\$\{(\w+)\}", lambda match: defaults[match[1]], base), name, ()))
        elif not found:
            name, _, value = arguments.partition("=")
            defaults[name] = value
        else:
            last = found.pop()
            found.append(Stage(last.base, last.name, (*last.steps, (word, arguments))))
    return found


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, arguments = line.partition(" ")
            yield word, " ".join(arguments.split())


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """Return a compose file with its anchors resolved."""
    content: dict[str, Any] = yaml.safe_load((paths.CHECKOUT / name).read_text())
    return content
