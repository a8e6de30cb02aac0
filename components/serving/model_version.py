"""One version of a model: its Pods, its Service, its budget and its own address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import Ingress
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components import pods
from components.naming import annotation, labels, object_name, selector
from components.serving.autoscaler import autoscaler
from components.serving.container import GRACE_SECONDS, ContainerArgs, container
from components.serving.secret_values import fingerprint, secret
from components.spec import LimitsSpec, VersionSpec

COMPONENT = "model"
SERVICE_PORT = 80

_KEPT_ONCE_WRITTEN = ("published-at", "git-commit", "git-ref")


@dataclass(frozen=True)
class ModelVersionArgs:
    """A version as the stack file has it, its image, and what is told about it."""

    namespace: pulumi.Input[str]
    ingress_class: str
    model: str
    version: str
    spec: VersionSpec
    limits: LimitsSpec
    secrets: Mapping[str, pulumi.Output[str]]
    """The values of the version's secrets, by variable."""
    image: pulumi.Output[str]
    """`repository@sha256:...`"""
    content_hash: str
    git_commit: str
    git_ref: str
    published_at: str


class ModelVersion(pulumi.ComponentResource):
    """Deployment, Service, PodDisruptionBudget and Ingress of one version, all of one name.

    `deployment` is what a route waits for: it is there once the version is Available.
    """

    deployment: Deployment
    service: Service

    def __init__(self, args: ModelVersionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        name = object_name(args.model, args.version)
        super().__init__("model-deployment:serving:ModelVersion", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        meta: ObjectMetaArgsDict = {
            "name": name,
            "namespace": args.namespace,
            "labels": labels(COMPONENT, args.model, args.version),
        }
        # awaited elsewhere or never given an address: waiting for these only costs time
        meta_unawaited: ObjectMetaArgsDict = {
            **meta,
            "annotations": {"pulumi.com/skipAwait": "true"},
        }
        pods_of_version = selector(args.model, args.version)
        waits = [secret(name, meta, args.secrets, child)] if args.secrets else []
        self.deployment = self._deployment(name, args, meta, waits)
        if args.spec.autoscaling:
            autoscaler(
                name,
                meta_unawaited,
                args.spec.autoscaling,
                pulumi.ResourceOptions(parent=self, depends_on=[self.deployment]),
            )
        self.service = Service(
            name,
            metadata=meta_unawaited,
            spec={
                "selector": pods_of_version,
                "ports": [{"name": "http", "port": SERVICE_PORT, "target_port": "http"}],
            },
            opts=child,
        )
        PodDisruptionBudget(
            name,
            metadata=meta,
            # not `minAvailable`: with one replica that would block every drain for ever
            spec={"max_unavailable": 1, "selector": {"match_labels": pods_of_version}},
            opts=child,
        )
        Ingress(
            name,
            metadata=meta_unawaited,
            spec={
                "ingress_class_name": args.ingress_class,
                "rules": [
                    {
                        "http": {
                            "paths": [
                                {
                                    "path": f"/models/{args.model}/versions/{args.version}/",
                                    "path_type": "Prefix",
                                    "backend": {
                                        "service": {"name": name, "port": {"name": "http"}}
                                    },
                                }
                            ]
                        }
                    }
                ],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.service]),
        )
        self.register_outputs({})

    def _deployment(
        self,
        name: str,
        args: ModelVersionArgs,
        meta: ObjectMetaArgsDict,
        waits: Sequence[pulumi.Resource],
    ) -> Deployment:
        told: dict[str, pulumi.Input[str]] = {
            "content-hash": args.content_hash,
            "image-digest": args.image.apply(lambda image: image.partition("@")[2]),
            "language": args.spec.language,
            "handler": args.spec.handler,
            "git-commit": args.git_commit,
            "published-at": args.published_at,
            **({"git-ref": args.git_ref} if args.git_ref else {}),
        }
        annotations = {
            **{annotation(key): value for key, value in told.items()},
            # the stack file is the truth: what the autoscaler or a hand wrote gives way to it
            "pulumi.com/patchForce": "true",
        }
        pod_meta: ObjectMetaArgsDict = {"labels": labels(COMPONENT, args.model, args.version)}
        if args.secrets:
            pod_meta["annotations"] = {annotation("secrets"): fingerprint(args.secrets)}
        spec = args.spec
        return Deployment(
            name,
            metadata={**meta, "annotations": annotations},
            spec={
                # with an autoscaler the number is its own
                **({} if spec.autoscaling else {"replicas": spec.replicas}),
                "revision_history_limit": 3,
                "progress_deadline_seconds": spec.deadline_seconds,
                "selector": {"match_labels": selector(args.model, args.version)},
                # a new Pod answers before an old one goes
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_surge": 1, "max_unavailable": 0},
                },
                "template": {
                    "metadata": pod_meta,
                    "spec": {
                        "containers": [
                            container(
                                ContainerArgs(
                                    model=args.model,
                                    version=args.version,
                                    spec=spec,
                                    limits=args.limits,
                                    image=args.image,
                                    secret=name,
                                )
                            )
                        ],
                        **(
                            {"node_selector": dict(spec.node_selector)}
                            if spec.node_selector
                            else {}
                        ),
                        "automount_service_account_token": False,
                        "enable_service_links": False,
                        "security_context": pods.pod_security(),
                        "termination_grace_period_seconds": GRACE_SECONDS,
                        "topology_spread_constraints": pods.spread(
                            selector(args.model, args.version)
                        ),
                        "volumes": [{"name": "tmp", "empty_dir": {"size_limit": "128Mi"}}],
                    },
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=waits,
                # only a version that nobody can have used gets here with another hash
                replace_on_changes=[f'metadata.annotations["{annotation("content-hash")}"]'],
                delete_before_replace=True,
                ignore_changes=[
                    f'metadata.annotations["{annotation(key)}"]' for key in _KEPT_ONCE_WRITTEN
                ],
                custom_timeouts=pulumi.CustomTimeouts(
                    create=f"{spec.deadline_seconds}s", update=f"{spec.deadline_seconds}s"
                ),
            ),
        )
