"""The commands behind the Makefile: up, env, down, clean."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from local import cluster, environment, ground
from local.definitions import keep_definitions
from local.errors import GroundError
from local.paths import ROOT, Paths
from local.plugins.install import install
from local.progress import say
from local.stack import ForeignCluster, Stack, wait_and_show
from local.tools import build


def _plugins(paths: Paths) -> None:
    paths.pulumi_home.mkdir(parents=True, exist_ok=True)
    pulumi = environment.pulumi(paths)
    for line in install(pulumi, paths.pulumi_home, Path(sys.executable), ROOT):
        say(f"    {line}")


def _up(paths: Paths, stack: str) -> None:
    ground.check(paths, built=all(product.built(paths) for product in build.PRODUCTS))
    ground.install_packages()
    build.build_all(paths)
    keep_definitions(paths)
    cluster.start(paths)
    _plugins(paths)
    deployed = Stack(paths, stack, environment.local(paths))
    deployed.up()
    wait_and_show(deployed)


def _up_elsewhere(paths: Paths, stack: str, context: str) -> None:
    foreign = ForeignCluster(paths, context)
    _plugins(paths)
    deployed = Stack(paths, stack, foreign.environment())
    deployed.up()
    with foreign.front_door(str(deployed.outputs()["url"])) as base:
        wait_and_show(deployed, base)


def _env(paths: Paths) -> None:
    for name, value in environment.local(paths).items():
        print(f"export {name}={shlex.quote(value)}")


def main() -> int:
    """Run one command; a GroundError becomes two lines and status 1."""
    parser = argparse.ArgumentParser(prog="local")
    parser.add_argument("command", choices=["up", "env", "down", "clean"])
    parser.add_argument("--stack", default="local", help="which stacks/Pulumi.<stack>.yaml")
    parser.add_argument(
        "--cluster", default="", help="a kubeconfig context of yours, instead of the local cluster"
    )
    arguments = parser.parse_args()
    paths = Paths.of_user()
    try:
        match arguments.command:
            case "up" if arguments.cluster:
                _up_elsewhere(paths, arguments.stack, arguments.cluster)
            case "up":
                _up(paths, arguments.stack)
            case "env":
                _env(paths)
            case "down":
                cluster.stop(paths)
            case "clean":
                cluster.delete(paths)
    except GroundError as error:
        say(f"[red]error[/red] {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
