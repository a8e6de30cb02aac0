"""The container of a version: its environment, its probes, its end."""

import pulumi
from pulumi_kubernetes.core.v1 import ContainerArgsDict, EnvVarArgsDict, ProbeArgsDict

from components import pods
from components.spec import VersionSpec

HTTP_PORT = 8080
HEALTH_PORT = 8081
"""The harness answers for its health here, beside the handler."""

CALL_SECONDS = 30
"""How long one call may take."""

FORGET_SECONDS = 3
"""How long a Pod that ends still serves: until every Traefik has read that it ends."""

GRACE_SECONDS = FORGET_SECONDS + CALL_SECONDS + 7

_BODY_BYTES = 10 * 1024 * 1024
_IN_FLIGHT = 64


def container(
    model: str, version: str, spec: VersionSpec, image: pulumi.Input[str]
) -> ContainerArgsDict:
    """The one container of a version's Pods; the names of its variables are the harness's."""
    return {
        "name": "model",
        "image": image,
        "env": _environment(model, version, spec),
        "ports": [
            {"name": "http", "container_port": HTTP_PORT},
            {"name": "health", "container_port": HEALTH_PORT},
        ],
        "resources": pods.resources(spec.resources),
        "security_context": pods.container_security(),
        # loading may take as long as the version has to become Available
        "startup_probe": _probe("ready", period=1, failures=spec.deadline_seconds),
        "readiness_probe": _probe("ready", period=2, failures=2),
        # slow to judge: a busy model is alive
        "liveness_probe": _probe("live", period=10, failures=6),
        "lifecycle": {"pre_stop": {"sleep": {"seconds": FORGET_SECONDS}}},
        "volume_mounts": [{"name": "tmp", "mount_path": pods.SCRATCH}],
        "termination_message_policy": "FallbackToLogsOnError",
    }


def _environment(model: str, version: str, spec: VersionSpec) -> list[EnvVarArgsDict]:
    harness = {
        "MODEL_NAME": model,
        "MODEL_VERSION": version,
        "MODEL_HANDLER": spec.handler,
        "MODEL_BODY_BYTES": str(_BODY_BYTES),
        "MODEL_IN_FLIGHT": str(_IN_FLIGHT),
        "MODEL_TIMEOUT_SECONDS": str(CALL_SECONDS),
    }
    # sorted, so that the order of the file makes no difference
    both = {**harness, **dict(sorted(spec.environment.items()))}
    # `$(NAME)` would be expanded on the way to the Pod; doubled, it arrives as written
    return [{"name": name, "value": value.replace("$(", "$$(")} for name, value in both.items()]


def _probe(path: str, period: int, failures: int) -> ProbeArgsDict:
    return {
        "http_get": {"path": f"/health/{path}", "port": "health"},
        "period_seconds": period,
        "timeout_seconds": 5,
        "failure_threshold": failures,
    }
