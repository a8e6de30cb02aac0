"""A model: its versions, their images, and its routes. It owns every object of its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.naming import LATEST
from components.serving.model_image import HarnessImage, ModelImage, VersionContent
from components.serving.model_version import ModelVersion, ModelVersionArgs
from components.serving.published import Checkout, now
from components.serving.weighted_route import WeightedRoute, WeightedRouteArgs
from components.sources import content_hash, read
from components.spec import ModelSpec, VersionSpec


@dataclass(frozen=True)
class ModelArgs:
    """A model as the stack file has it, and what it stands on."""

    root: Path
    namespace: pulumi.Input[str]
    registry: str
    ingress_class: str
    kinds: list[CustomResource]
    harness: HarnessImage
    checkout: Checkout
    spec: ModelSpec


class Model(pulumi.ComponentResource):
    """One model with all its versions and routes."""

    versions: Mapping[str, ModelVersion]

    def __init__(
        self, name: str, args: ModelArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("model-deployment:serving:Model", name, None, opts)
        self.versions = {
            version: self._publish(name, version, spec, args)
            for version, spec in args.spec.versions.items()
        }
        routes = {route: spec.weights for route, spec in args.spec.routes.items()}
        for route, weights in {LATEST: {args.spec.latest: 100}, **routes}.items():
            WeightedRoute(
                WeightedRouteArgs(
                    namespace=args.namespace,
                    model=name,
                    route=route,
                    weights=weights,
                    versions=self.versions,
                ),
                pulumi.ResourceOptions(parent=self, depends_on=args.kinds),
            )
        self.register_outputs({})

    def _publish(
        self, model: str, version: str, spec: VersionSpec, args: ModelArgs
    ) -> ModelVersion:
        tree = read(args.root / spec.source)
        content = VersionContent(
            tree, content_hash(tree, spec.language, spec.handler, spec.environment)
        )
        image = ModelImage(
            args.root,
            args.registry,
            model,
            version,
            content,
            args.harness,
            pulumi.ResourceOptions(parent=self),
        )
        return ModelVersion(
            ModelVersionArgs(
                namespace=args.namespace,
                ingress_class=args.ingress_class,
                model=model,
                version=version,
                spec=spec,
                image=image.reference,
                image_digest=image.digest,
                content_hash=content.content_hash,
                git_commit=args.checkout.commit(spec.source),
                published_at=now(),
            ),
            pulumi.ResourceOptions(parent=self),
        )
