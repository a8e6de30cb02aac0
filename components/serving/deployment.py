"""The Deployment of a version, with its Pod template and annotations."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgsDict
from pulumi_kubernetes.core.v1 import PodSpecArgsDict, VolumeArgsDict
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components import pods, ports
from components.naming import annotation, labels, selector
from components.secrets_k8s import fingerprint, tokens_name
from components.serving.container import (
    TOKENS_VOLUME,
    ContainerArgs,
    container,
    grace_seconds,
)
from components.serving.version_args import COMPONENT, ModelVersionArgs
from components.workloads import NO_DOWNTIME, scrape_annotations

_KEPT_ONCE_WRITTEN = ("published-at", "git-commit", "git-ref")

_TOKEN_MODE = 0o440
"""Mode of token files: readable by root and the Pod's group."""


def declare_deployment(
    name: str,
    args: ModelVersionArgs,
    meta: ObjectMetaArgsDict,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource],
) -> Deployment:
    """Declare the Deployment; it is ready once the version is Available."""
    deadline = f"{args.spec.deadline_seconds}s"
    return Deployment(
        name,
        metadata={**meta, "annotations": _annotations(args)},
        spec=_spec(name, args),
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=depends_on,
            # only a version that never became Available gets here with another hash
            replace_on_changes=[_path("content-hash")],
            delete_before_replace=True,
            ignore_changes=[_path(key) for key in _KEPT_ONCE_WRITTEN],
            custom_timeouts=pulumi.CustomTimeouts(create=deadline, update=deadline),
        ),
    )


def _path(key: str) -> str:
    return f'metadata.annotations["{annotation(key)}"]'


def _annotations(args: ModelVersionArgs) -> dict[str, pulumi.Input[str]]:
    annotations: dict[str, pulumi.Input[str]] = {
        "content-hash": args.content_hash,
        "image-digest": args.image.apply(lambda image: image.partition("@")[2]),
        "language": args.spec.language,
        "handler": args.spec.handler,
        "git-commit": args.git_commit,
        "published-at": args.published_at,
    }
    if args.git_ref:
        annotations["git-ref"] = args.git_ref
    # the stack file overrides fields that an autoscaler or a user wrote
    forced: dict[str, pulumi.Input[str]] = {"pulumi.com/patchForce": "true"}
    return {**{annotation(key): value for key, value in annotations.items()}, **forced}


def _spec(name: str, args: ModelVersionArgs) -> DeploymentSpecArgsDict:
    annotations: dict[str, pulumi.Input[str]] = {
        **scrape_annotations(ports.MODEL["health"], "/metrics"),
    }
    if args.secrets:
        annotations[annotation("secrets")] = fingerprint(args.secrets)
    pod_meta: ObjectMetaArgsDict = {
        "labels": labels(COMPONENT, args.model, args.version),
        "annotations": annotations,
    }
    return {
        "revision_history_limit": 3,
        "progress_deadline_seconds": args.spec.deadline_seconds,
        "selector": {"match_labels": selector(args.model, args.version)},
        "strategy": NO_DOWNTIME,
        "template": {"metadata": pod_meta, "spec": _pod(name, args)},
        # with an autoscaler, the autoscaler sets the replicas
        **({} if args.spec.autoscaling else {"replicas": args.spec.replicas}),
    }


def _pod(name: str, args: ModelVersionArgs) -> PodSpecArgsDict:
    model_container = container(
        ContainerArgs(
            model=args.model,
            version=args.version,
            spec=args.spec,
            limits=args.limits,
            image=args.image,
            secret=name,
            tokens=args.tokens is not None,
        )
    )
    volumes: list[VolumeArgsDict] = [
        {"name": "tmp", "empty_dir": {"size_limit": args.spec.temporary_storage}}
    ]
    if args.tokens is not None:
        volumes.append(
            {
                "name": TOKENS_VOLUME,
                "secret": {"secret_name": tokens_name(args.model), "default_mode": _TOKEN_MODE},
            }
        )
    return {
        "containers": [model_container],
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": pods.pod_security(),
        "termination_grace_period_seconds": grace_seconds(args.spec),
        "topology_spread_constraints": pods.spread(selector(args.model, args.version)),
        "volumes": volumes,
        **({"node_selector": dict(args.spec.node_selector)} if args.spec.node_selector else {}),
    }
