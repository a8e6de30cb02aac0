"""Records what a Pulumi program registers, and says no to whatever a test did not expect.

`Recorder.seal(...)` compares the whole count of resources by type: an unexpected one fails as a
missing one does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi.runtime import settings, stack
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.sync_await import _sync_await

DIGEST = "sha256:" + "d" * 64


@dataclass
class Registered:
    """One resource as the program registered it."""

    token: str
    name: str
    inputs: Mapping[str, object]


@dataclass
class Recorder(Mocks):
    """Pulumi mocks that keep every registration; image builds answer with a digest."""

    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, object] = field(default_factory=dict)
    options: dict[tuple[str, str], pulumi.ResourceOptions] = field(default_factory=dict)
    """By kind and name."""

    def keep_options(self, args: pulumi.ResourceTransformationArgs) -> None:
        """A stack transformation that changes nothing: mocks do not show a resource's options."""
        kind = args.type_.rpartition(":")[2]
        self.options[kind, args.name] = args.opts

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, object]]:
        self.resources.append(Registered(args.typ, args.name, args.inputs))
        outputs = dict(args.inputs)
        if args.typ == "docker:index/image:Image":
            outputs["repoDigest"] = f"{str(args.inputs['imageName']).rpartition(':')[0]}@{DIGEST}"
        return f"{args.name}-id", outputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, object], None]:
        raise AssertionError(f"the program called {args.token}; previews must need no look-ups")

    def seal(self, **expected: int) -> None:
        """Fail unless exactly these numbers of resources, by kind, were registered."""
        counts = Counter(item.token.rpartition(":")[2] for item in self.resources)
        assert dict(counts) == expected, f"registered: {dict(counts)}"

    def inputs_of(self, kind: str, name: str) -> Mapping[str, object]:
        """The inputs of the one resource of this kind and name."""
        matches = [
            item.inputs
            for item in self.resources
            if item.token.rpartition(":")[2] == kind and item.name == name
        ]
        assert len(matches) == 1, f"{len(matches)} resources are {kind} {name}"
        return matches[0]


def record(program: Callable[[], None]) -> Recorder:
    """Run a program to its end, all its outputs awaited, and return what it registered."""
    # a test before this one may have used asyncio.run, which leaves the thread without a loop
    asyncio.set_event_loop(asyncio.new_event_loop())
    # and what a program that failed left behind is not this one's
    settings.SETTINGS.outputs.clear()
    settings._get_rpc_manager().clear()
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="model-deployment", stack="test", preview=False)
    # the mocks keep the root of the program before this one, with its transformations
    settings.get_root_resource()._transformations = []

    def recorded_program() -> None:
        pulumi.runtime.register_stack_transformation(recorder.keep_options)
        program()

    # the mocks keep the root of the program before this one, with its transformations
    settings.get_root_resource()._transformations = []
    _sync_await(stack.run_pulumi_func(recorded_program))
    root = settings.get_root_resource()
    assert isinstance(root, stack.Stack)
    recorder.outputs = dict(root.outputs)
    return recorder
