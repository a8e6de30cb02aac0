"""A model: its versions, their images, and its routes. It owns every object of its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from components.cluster_state.availability_gate import AvailabilityGate
from components.config import ModelSpec, RouteSpec, VersionSpec
from components.config.stack_config import require_secret
from components.languages import Runtime
from components.naming import LATEST, labels, object_name
from components.secrets_k8s import declare_secret, tokens_name
from components.serving.model_image import HarnessImage, ModelImageArgs, declare_model_image
from components.serving.model_version import ModelVersion
from components.serving.provenance import utc_timestamp
from components.serving.version_args import COMPONENT, ModelVersionArgs
from components.serving.version_content import Content
from components.serving.weighted_route import WeightedRouteArgs, declare_weighted_route


@dataclass(frozen=True)
class ModelArgs:
    """A model's section of the stack file and the resources that the model depends on."""

    root: Path
    namespace: pulumi.Input[str]
    namespace_name: str
    registry: str
    ingress_class: str
    traefik_ready: CustomResource
    harnesses: Mapping[Runtime, HarnessImage]
    repositories: list[pulumi.Resource]
    """Resources that must exist before an image is pushed."""
    contents: Mapping[str, Content]
    gate: AvailabilityGate
    spec: ModelSpec


class Model(pulumi.ComponentResource):
    """One model with all its versions and routes."""

    versions: Mapping[str, ModelVersion]

    def __init__(
        self, name: str, args: ModelArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("model-deployment:serving:Model", name, None, opts)
        tokens = self._tokens(name, args)
        self.versions = {
            version: self._publish(name, version, spec, args, tokens)
            for version, spec in args.spec.versions.items()
        }
        for route, spec in routes(args.spec).items():
            declare_weighted_route(
                WeightedRouteArgs(
                    namespace=args.namespace,
                    namespace_name=args.namespace_name,
                    model=name,
                    route=route,
                    spec=spec,
                    limits=args.spec.limits,
                    versions=self.versions,
                    gate=args.gate,
                ),
                pulumi.ResourceOptions(parent=self, depends_on=[args.traefik_ready]),
            )
        self.register_outputs({})

    def _tokens(self, model: str, args: ModelArgs) -> Secret | None:
        if not args.spec.tokens:
            return None
        name = tokens_name(model)
        return declare_secret(
            name,
            {"name": name, "namespace": args.namespace, "labels": labels(COMPONENT, model)},
            {key: require_secret(key) for key in args.spec.tokens},
            pulumi.ResourceOptions(parent=self),
        )

    def _publish(
        self,
        model: str,
        version: str,
        spec: VersionSpec,
        args: ModelArgs,
        tokens: Secret | None,
    ) -> ModelVersion:
        content = args.contents[version]
        child = pulumi.ResourceOptions(parent=self)
        return ModelVersion(
            object_name(model, version),
            ModelVersionArgs(
                namespace=args.namespace,
                namespace_name=args.namespace_name,
                traefik_ready=args.traefik_ready,
                ingress_class=args.ingress_class,
                model=model,
                version=version,
                spec=spec,
                limits=args.spec.limits,
                secrets={variable: require_secret(key) for variable, key in spec.secrets.items()},
                tokens=tokens,
                image=self._image(model, version, spec, args),
                content_hash=content.content_hash,
                git_commit=content.commit,
                git_ref=content.ref,
                published_at=utc_timestamp(),
            ),
            child,
        )

    def _image(
        self, model: str, version: str, spec: VersionSpec, args: ModelArgs
    ) -> pulumi.Output[str]:
        content = args.contents[version]
        if content.tree is None:
            return pulumi.Output.from_input(str(spec.image))
        return declare_model_image(
            object_name(model, version),
            ModelImageArgs(
                root=args.root,
                registry=args.registry,
                model=model,
                version=version,
                tree=content.tree,
                content_hash=content.content_hash,
                harness=args.harnesses[spec.runtime],
            ),
            pulumi.ResourceOptions(parent=self, depends_on=args.repositories),
        )


def routes(spec: ModelSpec) -> Mapping[str, RouteSpec]:
    """Return the routes of a model, including the generated route `latest`."""
    return {LATEST: RouteSpec(weights={spec.latest: 100}), **spec.routes}
