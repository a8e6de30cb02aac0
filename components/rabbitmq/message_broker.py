"""RabbitMQ: stores the events until a consumer acknowledges them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ContainerArgsDict,
    EnvVarArgsDict,
    PersistentVolumeClaimArgsDict,
    PodTemplateSpecArgsDict,
    Secret,
    Service,
    ServiceSpecArgsDict,
    VolumeArgsDict,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components import pods, ports
from components.config import MessageBrokerSpec
from components.naming import annotation, labels
from components.rabbitmq.broker_config import (
    COOKIE_FILE,
    HEADLESS_SERVICE,
    HOME,
    NAME,
    SECRETS,
    SETTINGS,
    START_FILE,
    STOP_FILE,
    TERMINATION_GRACE_SECONDS,
    USERS_FILE,
    config_files,
    node,
)
from components.rabbitmq.broker_credentials import declare_credentials
from components.workloads import (
    SKIP_AWAIT,
    declare_disruption_budget,
    platform_selector,
    scrape_annotations,
)

_VOLUME = "data"
_SECRET_MODE = 0o440
"""Mode of files with secrets: readable by root and the Pod's group."""
_SHOWN_DIGITS = 12

_SELECTOR = platform_selector(NAME)


@dataclass(frozen=True)
class MessageBrokerArgs:
    """RabbitMQ's size and namespace."""

    namespace: pulumi.Input[str]
    priority: pulumi.Input[str]
    spec: MessageBrokerSpec


class MessageBroker(pulumi.ComponentResource):
    """RabbitMQ's nodes with their volumes, settings, Services and disruption budget.

    Ready means that each node accepts messages; exchanges and queues are created seconds later,
    once all nodes have joined. `secret` has the users' passwords.
    """

    secret: Secret

    def __init__(
        self, name: str, args: MessageBrokerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("model-deployment:platform:MessageBroker", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        meta: ObjectMetaArgsDict = {
            "name": NAME,
            "namespace": args.namespace,
            "labels": labels(NAME),
        }
        config = config_files(args.spec)
        settings = ConfigMap(NAME, metadata=meta, data=config, opts=child)
        self.secret = declare_credentials(meta, child)
        self._service(NAME, meta, ports.BROKER, {})
        nodes = self._service(
            HEADLESS_SERVICE,
            meta,
            ports.BROKER_CLUSTERING,
            # nodes must find each other before they are ready
            {"cluster_ip": "None", "publish_not_ready_addresses": True},
        )
        StatefulSet(
            NAME,
            metadata=meta,
            spec={
                "replicas": args.spec.replicas,
                "service_name": HEADLESS_SERVICE,
                "selector": {"match_labels": _SELECTOR},
                # after a power failure a node may wait for nodes that stopped after it
                "pod_management_policy": "Parallel",
                "template": _template(args, config),
                "volume_claim_templates": [_claim(args.spec)],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[settings, self.secret, nodes]),
        )
        declare_disruption_budget(NAME, meta, _SELECTOR, child)
        self.register_outputs({})

    def _service(
        self,
        name: str,
        meta: ObjectMetaArgsDict,
        ports: Mapping[str, int],
        kind: ServiceSpecArgsDict,
    ) -> Service:
        """Declare the cluster-internal Service; management needs `kubectl port-forward`."""
        return Service(
            name,
            metadata={**meta, "name": name, "annotations": SKIP_AWAIT},
            spec={
                **kind,
                "selector": _SELECTOR,
                "ports": [
                    {"name": port, "port": number, "target_port": number}
                    for port, number in ports.items()
                ],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )


def _template(args: MessageBrokerArgs, config: Mapping[str, str]) -> PodTemplateSpecArgsDict:
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    return {
        "metadata": {
            "labels": labels(NAME),
            "annotations": {
                # changed settings replace the Pods: RabbitMQ reads them at its start
                annotation("settings"): digest[:_SHOWN_DIGITS],
                **scrape_annotations(ports.BROKER["metrics"]),
            },
        },
        "spec": {
            "priority_class_name": args.priority,
            "automount_service_account_token": False,
            "enable_service_links": False,
            "security_context": pods.pod_security(),
            "termination_grace_period_seconds": TERMINATION_GRACE_SECONDS,
            "topology_spread_constraints": pods.spread(_SELECTOR),
            "containers": [_container(args.spec)],
            "volumes": _volumes(),
        },
    }


def _container(spec: MessageBrokerSpec) -> ContainerArgsDict:
    return {
        "name": "rabbitmq",
        "image": spec.image,
        "command": ["sh", f"{SETTINGS}/{START_FILE}"],
        "env": _environment(),
        "ports": [
            {"name": name, "container_port": port}
            for name, port in (ports.BROKER | ports.BROKER_CLUSTERING).items()
        ],
        "resources": pods.resources(spec.resources),
        "security_context": pods.container_security(),
        # RabbitMQ's CLI checks start an Erlang VM each; the port opens once it accepts messages. No
        # liveness probe: a node that waits for others after a power failure must not be killed.
        "readiness_probe": {
            "tcp_socket": {"port": "amqp"},
            "period_seconds": 2,
            "timeout_seconds": 2,
        },
        "lifecycle": {"pre_stop": {"exec_": {"command": ["sh", f"{SETTINGS}/{STOP_FILE}"]}}},
        "volume_mounts": [
            {"name": _VOLUME, "mount_path": HOME},
            {"name": "tmp", "mount_path": pods.SCRATCH},
            # the whole folder, so that no settings of the image remain
            {"name": "settings", "mount_path": SETTINGS, "read_only": True},
            {"name": "secrets", "mount_path": SECRETS, "read_only": True},
        ],
        "termination_message_policy": "FallbackToLogsOnError",
    }


def _environment() -> list[EnvVarArgsDict]:
    """Return the environment; `kubectl exec ... rabbitmqctl` also finds its node by it."""
    values = {
        "HOME": HOME,
        "RABBITMQ_USE_LONGNAME": "true",
        "RABBITMQ_NODENAME": node("$(POD_NAME)"),
        "RABBITMQ_LOG_BASE": pods.SCRATCH,
        # a crash dump is as large as the memory
        "ERL_CRASH_DUMP_SECONDS": "0",
    }
    plain: list[EnvVarArgsDict] = [{"name": key, "value": value} for key, value in values.items()]
    return [
        {"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
        *plain,
    ]


def _volumes() -> list[VolumeArgsDict]:
    return [
        {"name": "tmp", "empty_dir": {"size_limit": "128Mi"}},
        {"name": "settings", "config_map": {"name": NAME}},
        {
            "name": "secrets",
            "secret": {
                "secret_name": NAME,
                "default_mode": _SECRET_MODE,
                "items": [{"key": key, "path": key} for key in (USERS_FILE, COOKIE_FILE)],
            },
        },
    ]


def _claim(spec: MessageBrokerSpec) -> PersistentVolumeClaimArgsDict:
    return {
        "metadata": {"name": _VOLUME, "labels": labels(NAME)},
        "spec": {
            "access_modes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": spec.storage}},
        },
    }
