"""The commands behind the Makefile: up, env, down, clean."""

from __future__ import annotations

import argparse
import shlex
import sys

from local import cluster, environment, ground
from local.errors import GroundError
from local.paths import Paths
from local.progress import say
from local.tools import build


def _up(paths: Paths) -> None:
    ground.check(paths, built=all(product.built(paths) for product in build.PRODUCTS))
    ground.install_packages()
    build.build_all(paths)
    cluster.start(paths)


def _env(paths: Paths) -> None:
    for name, value in environment.local(paths).items():
        print(f"export {name}={shlex.quote(value)}")


def main() -> int:
    """Run one command; a GroundError becomes two lines and status 1."""
    parser = argparse.ArgumentParser(prog="local")
    parser.add_argument("command", choices=["up", "env", "down", "clean"])
    arguments = parser.parse_args()
    paths = Paths.of_user()
    commands = {
        "up": _up,
        "env": _env,
        "down": cluster.stop,
        "clean": cluster.delete,
    }
    try:
        commands[arguments.command](paths)
    except GroundError as error:
        say(f"[red]error[/red] {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
