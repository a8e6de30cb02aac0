"""The images: one of the harness per language, and one per version on top of it."""

from pathlib import Path

import pulumi
import pulumi_docker as docker

from components import images
from components.sources import Tree
from components.staging import Harness, stage_harness, stage_version


def repository_name(language: str) -> str:
    """A harness's repository: with an underscore, which no model's name can have."""
    return f"harness_{language}"


class HarnessImage:
    """The image that all versions of one language stand on."""

    def __init__(
        self, root: Path, registry: str, harness: Harness, opts: pulumi.ResourceOptions
    ) -> None:
        self.language = harness.language
        self.digits = harness.digest[: images.SHOWN_DIGITS]
        self.image = docker.Image(
            f"harness-{self.language.name}",
            image_name=f"{registry}/{repository_name(self.language.name)}:{self.digits}",
            build=images.build(stage_harness(root, harness), {}),
            opts=opts,
        )


class ModelImage:
    """A version's image: the user's dependencies, then the user's files, on the harness."""

    def __init__(
        self,
        root: Path,
        registry: str,
        model: str,
        version: str,
        tree: Tree,
        content_hash: str,
        harness: HarnessImage,
        opts: pulumi.ResourceOptions,
    ) -> None:
        context = stage_version(root, harness.language, model, version, tree, content_hash)
        tag = f"{version}-{content_hash[: images.SHOWN_DIGITS]}-{harness.digits}"
        self.image = docker.Image(
            f"{model}-{version}",
            # the tag names all that went in, so it never moves: registries may forbid moving
            image_name=f"{registry}/{model}:{tag}",
            # the base by its digest: the plugin does not notice a base that changed under its name
            build=images.build(context, {"HARNESS": harness.image.repo_digest}),
            opts=opts,
        )

    @property
    def reference(self) -> pulumi.Output[str]:
        """`repository@sha256:...`, what Pods run."""
        return self.image.repo_digest
