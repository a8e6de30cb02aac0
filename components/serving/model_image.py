"""The images: one harness image per runtime, and one image per version based on it."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components import images
from components.build_context import Harness, stage_harness, stage_version
from components.languages import Language
from components.sources import SourceTree


def repository_name(language: str) -> str:
    """Return a harness's repository; its underscore prevents collisions with model names."""
    return f"harness_{language}"


@dataclass(frozen=True)
class HarnessImage:
    """The base image of all versions of a runtime.

    `short_hash` is the end of its tag and of the tags of its versions.
    """

    language: Language
    short_hash: str
    image: docker.Image


def declare_harness_image(
    root: Path, registry: str, harness: Harness, opts: pulumi.ResourceOptions
) -> HarnessImage:
    """Declare the harness image of a runtime; `root` is the project's folder."""
    runtime = harness.runtime
    short_hash = harness.digest[: images.SHORT_HASH]
    # the release is only for readers: the hash differs anyway
    tag = "-".join(filter(None, (runtime.release, short_hash)))
    image = docker.Image(
        f"harness-{runtime.name}",
        image_name=f"{registry}/{repository_name(runtime.language.name)}:{tag}",
        build=images.docker_build_args(
            stage_harness(root, harness), {"BASE": runtime.base} if runtime.base else {}
        ),
        opts=opts,
    )
    return HarnessImage(runtime.language, short_hash, image)


@dataclass(frozen=True)
class ModelImageArgs:
    """A version's files and hash, and the harness image that it is based on."""

    root: Path
    registry: str
    model: str
    version: str
    tree: SourceTree
    content_hash: str
    harness: HarnessImage


def declare_model_image(
    name: str, args: ModelImageArgs, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """Declare a version's image: dependencies, then files, on the harness.

    Returns the reference that Pods run: `repository@sha256:...`.
    """
    harness = args.harness
    context = stage_version(
        args.root, harness.language, args.model, args.version, args.tree, args.content_hash
    )
    tag = f"{args.version}-{args.content_hash[: images.SHORT_HASH]}-{harness.short_hash}"
    image = docker.Image(
        name,
        # the tag is derived from all content, so it is immutable, as registries may require
        image_name=f"{args.registry}/{args.model}:{tag}",
        # the base by digest: the provider does not notice a base that changed under its tag
        build=images.docker_build_args(context, {"HARNESS": harness.image.repo_digest}),
        opts=opts,
    )
    return image.repo_digest
