"""The container of a version: environment, probes and shutdown."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    EnvVarArgsDict,
    VolumeMountArgsDict,
)

from components import pods, ports
from components.config import LimitsSpec, VersionSpec

PRE_STOP_SLEEP_SECONDS = 3
"""preStop delay: every Traefik needs this time to remove the endpoint."""

_SHUTDOWN_MARGIN_SECONDS = 7
"""Time that the harness needs to shut down, in addition to its longest call."""

TOKENS_VOLUME = "tokens"
_TOKENS_FOLDER = "/run/tokens"
"""One file per token, mounted as a folder: kubelet does not update single files (`subPath`)."""

_TERMINATION_MESSAGE_PATH = "/dev/termination-log"
"""Kubernetes' default path; its content becomes part of the Pod's status."""


@dataclass(frozen=True)
class ContainerArgs:
    """A version, its model's limits, its image, and the Secret with its secrets.

    `tokens`: whether the Pod has a volume `TOKENS_VOLUME`.
    """

    model: str
    version: str
    spec: VersionSpec
    limits: LimitsSpec
    image: pulumi.Input[str]
    secret: str
    tokens: bool


def grace_seconds(spec: VersionSpec) -> int:
    """Return terminationGracePeriodSeconds: preStop delay, longest call and shutdown margin."""
    return PRE_STOP_SLEEP_SECONDS + spec.timeout_seconds + _SHUTDOWN_MARGIN_SECONDS


def container(args: ContainerArgs) -> ContainerArgsDict:
    """Return the container of a version's Pods; the harness defines the variables' names."""
    spec = args.spec
    return {
        "name": "model",
        "image": args.image,
        "env": [*_environment(args), *_secrets(args)],
        "ports": [
            {"name": "http", "container_port": ports.MODEL["http"]},
            {"name": "health", "container_port": ports.MODEL["health"]},
        ],
        "resources": pods.resources(spec.resources, spec.temporary_storage),
        "security_context": pods.container_security(),
        # loading may take as long as the progress deadline
        "startup_probe": pods.probe("ready", period=1, failures=spec.deadline_seconds),
        "readiness_probe": pods.probe("ready", period=2, failures=2),
        # a high threshold: a busy model is alive
        "liveness_probe": pods.probe("live", period=10, failures=6),
        "lifecycle": {"pre_stop": {"sleep": {"seconds": PRE_STOP_SLEEP_SECONDS}}},
        "volume_mounts": _mounts(args),
        "termination_message_path": _TERMINATION_MESSAGE_PATH,
        # not FallbackToLogsOnError: the log may contain a secret, and events would publish it
        "termination_message_policy": "File",
    }


def _environment(args: ContainerArgs) -> list[EnvVarArgsDict]:
    spec = args.spec
    harness = {
        "MODEL_NAME": args.model,
        "MODEL_VERSION": args.version,
        "MODEL_HANDLER": spec.handler,
        "MODEL_BODY_BYTES": str(args.limits.body_bytes),
        "MODEL_IN_FLIGHT": str(args.limits.in_flight),
        "MODEL_TIMEOUT_SECONDS": str(spec.timeout_seconds),
        "MODEL_THREADS": str(spec.threads),
        "MODEL_WORKERS": str(spec.workers),
        "MODEL_TERMINATION_LOG": _TERMINATION_MESSAGE_PATH,
        **({"MODEL_TOKENS": _TOKENS_FOLDER} if args.tokens else {}),
        **({"MODEL_SECRETS": ",".join(sorted(spec.secrets))} if spec.secrets else {}),
    }
    # sorted, so that reordering the file changes nothing
    both = {**harness, **dict(sorted(spec.environment.items()))}
    # kubelet expands `$(NAME)`; a doubled `$` passes it unchanged
    return [{"name": name, "value": value.replace("$(", "$$(")} for name, value in both.items()]


def _secrets(args: ContainerArgs) -> list[EnvVarArgsDict]:
    return [
        {"name": name, "value_from": {"secret_key_ref": {"name": args.secret, "key": name}}}
        for name in sorted(args.spec.secrets)
    ]


def _mounts(args: ContainerArgs) -> list[VolumeMountArgsDict]:
    scratch: VolumeMountArgsDict = {"name": "tmp", "mount_path": pods.SCRATCH}
    tokens: VolumeMountArgsDict = {
        "name": TOKENS_VOLUME,
        "mount_path": _TOKENS_FOLDER,
        "read_only": True,
    }
    return [scratch, tokens] if args.tokens else [scratch]
