"""The images: one of the harness per runtime, and one per version on top of it."""

from pathlib import Path

import pulumi
import pulumi_docker as docker

from components import images
from components.build_context import Harness, stage_harness, stage_version
from components.sources import SourceTree


def repository_name(language: str) -> str:
    """A harness's repository: with an underscore, which no model's name can have."""
    return f"harness_{language}"


class HarnessImage:
    """The image that all versions of one runtime are built on."""

    def __init__(
        self, root: Path, registry: str, harness: Harness, opts: pulumi.ResourceOptions
    ) -> None:
        runtime = harness.runtime
        self.language = runtime.language
        self.digits = harness.digest[: images.SHORT_HASH]
        # the release only for people: the digits are other ones already
        tag = "-".join(filter(None, (runtime.release, self.digits)))
        self.image = docker.Image(
            f"harness-{runtime.name}",
            image_name=f"{registry}/{repository_name(self.language.name)}:{tag}",
            build=images.docker_build_args(
                stage_harness(root, harness), {"BASE": runtime.base} if runtime.base else {}
            ),
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
        tree: SourceTree,
        content_hash: str,
        harness: HarnessImage,
        opts: pulumi.ResourceOptions,
    ) -> None:
        context = stage_version(root, harness.language, model, version, tree, content_hash)
        tag = f"{version}-{content_hash[: images.SHORT_HASH]}-{harness.digits}"
        self.image = docker.Image(
            f"{model}-{version}",
            # the tag names all that went in, so it never moves: registries may forbid moving
            image_name=f"{registry}/{model}:{tag}",
            # the base by its digest: the plugin does not notice a base that changed under its name
            build=images.docker_build_args(context, {"HARNESS": harness.image.repo_digest}),
            opts=opts,
        )

    @property
    def reference(self) -> pulumi.Output[str]:
        """`repository@sha256:...`, what Pods run."""
        return self.image.repo_digest
