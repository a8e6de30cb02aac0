"""The images: one harness image per runtime, and one image per version based on it."""

from pathlib import Path

import pulumi
import pulumi_docker as docker

from components import images
from components.build_context import Harness, stage_harness, stage_version
from components.sources import SourceTree


def repository_name(language: str) -> str:
    """A harness's repository; its underscore prevents collisions with model names."""
    return f"harness_{language}"


class HarnessImage:
    """The base image of all versions of a runtime."""

    def __init__(
        self, root: Path, registry: str, harness: Harness, opts: pulumi.ResourceOptions
    ) -> None:
        runtime = harness.runtime
        self.language = runtime.language
        self.digits = harness.digest[: images.SHORT_HASH]
        # the release is only for readers: the hash differs anyway
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
            # the tag is derived from all content, so it is immutable, as registries may require
            image_name=f"{registry}/{model}:{tag}",
            # the base by digest: the provider does not notice a base that changed under its tag
            build=images.docker_build_args(context, {"HARNESS": harness.image.repo_digest}),
            opts=opts,
        )

    @property
    def reference(self) -> pulumi.Output[str]:
        """The reference that Pods run: `repository@sha256:...`."""
        return self.image.repo_digest
