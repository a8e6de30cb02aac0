"""The commands behind the Makefile: up, preview, env, down, clean."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local import cluster, environment, ground, packages, teardown, unseen
from local.definitions import keep_definitions
from local.errors import GroundError
from local.foreign import ForeignCluster
from local.lock import alone
from local.paths import ROOT, Paths
from local.plugins.install import install
from local.progress import complain, say
from local.stack import Stack, wait_and_show
from local.tools import build

LOCAL_STACK = "local"
"""The one that the local cluster is for."""


def _plugins(paths: Paths) -> None:
    paths.pulumi_home.mkdir(parents=True, exist_ok=True)
    pulumi = environment.pulumi(paths)
    for line in install(pulumi, paths.pulumi_home, Path(sys.executable), ROOT):
        say(f"    {line}")


def _up(paths: Paths, stack: str) -> None:
    ground.check(paths, built=all(product.built(paths) for product in build.PRODUCTS))
    packages.install()
    build.build_all(paths)
    keep_definitions(paths)
    cluster.start(paths)
    _plugins(paths)
    deployed = Stack(paths, stack, environment.local(paths))
    deployed.up()
    wait_and_show(deployed)


def _up_elsewhere(paths: Paths, stack: str, context: str) -> None:
    environment.pulumi(paths)  # says that it is missing before anything is asked of the cluster
    foreign = ForeignCluster(paths, context)
    _plugins(paths)
    deployed = Stack(paths, stack, foreign.environment())
    deployed.up()
    with foreign.front_door(str(deployed.outputs()["url"]), deployed.namespace()) as base:
        wait_and_show(deployed, base)


def _preview(paths: Paths, stack: str, context: str) -> None:
    """The local stack on its cluster, one of a cluster of yours, or any file against nothing."""
    environment.pulumi(paths)
    if not context and stack != LOCAL_STACK:
        unseen.preview(paths, stack)
        return
    env = ForeignCluster(paths, context).environment() if context else environment.local(paths)
    _plugins(paths)
    Stack(paths, stack, env).preview()


def _env(paths: Paths) -> None:
    """Needs nothing that runs or is built: what it names is there after `make up`."""
    for name, value in environment.local(paths).items():
        print(f"export {name}={shlex.quote(value)}")


def _down(paths: Paths) -> None:
    ground.check_root()
    teardown.stop(paths)
    say("ok  the local stack is down; `make up` brings the same models back")


def _clean(paths: Paths) -> None:
    ground.check_root()
    teardown.delete(paths)
    say("ok  the local stack is deleted, with all that was built for it")


def _stopped(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _adjust_to_machine() -> None:
    """Find Debian's programs for administrators, and reach what is on this machine directly."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    for name in ("NO_PROXY", "no_proxy"):
        others = os.environ.get(name)
        os.environ[name] = ",".join([*([others] if others else []), "localhost", "127.0.0.1"])
    signal.signal(signal.SIGTERM, _stopped)
    signal.signal(signal.SIGHUP, _stopped)


def _run(arguments: argparse.Namespace, paths: Paths) -> None:
    if arguments.command == "env":
        _env(paths)
        return
    _adjust_to_machine()
    with alone(paths.state):
        match arguments.command:
            case "up" if arguments.cluster:
                _up_elsewhere(paths, arguments.stack, arguments.cluster)
            case "up":
                _up(paths, arguments.stack)
            case "preview":
                _preview(paths, arguments.stack, arguments.cluster)
            case "down":
                _down(paths)
            case "clean":
                _clean(paths)


def main() -> int:
    """Run one command; what a person can mend becomes two lines and status 1."""
    parser = argparse.ArgumentParser(prog="local")
    parser.add_argument("command", choices=["up", "preview", "env", "down", "clean"])
    parser.add_argument("--stack", default=LOCAL_STACK, help="which stacks/Pulumi.<stack>.yaml")
    parser.add_argument(
        "--cluster", default="", help="a kubeconfig context of yours, instead of the local cluster"
    )
    try:
        _run(parser.parse_args(), Paths.of_user())
    except GroundError as error:
        complain(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        complain(f"the disk is full: {error}\n  -> make room and run the same command again")
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        return 130
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
