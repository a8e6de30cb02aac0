"""The commands behind the Makefile: up, preview, env, down, clean."""

import argparse
import errno
import os
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local.build import apt, go_tools, images
from local.build.crd_cache import cache_crds
from local.errors import SetupError
from local.lock import exclusive_lock
from local.node import cluster, preflight, teardown
from local.paths import ROOT, Paths
from local.progress import print_error, print_line, show_durations
from local.pulumi import environment, offline_preview
from local.pulumi.external_cluster import ExternalCluster
from local.pulumi.plugins.install import install, needs_build
from local.pulumi.stack import Stack, stack_file, wait_and_show
from local.shell import run_in_parallel

LOCAL_STACK = "local"
"""The stack that the local cluster is for."""


def main() -> int:
    """Run one command; print a SetupError without a traceback and return the exit status."""
    parser = argparse.ArgumentParser(prog="local")
    parser.add_argument("command", choices=["up", "preview", "env", "down", "clean"])
    parser.add_argument(
        "--stack", default=LOCAL_STACK, help="the stack of the file stacks/Pulumi.<stack>.yaml"
    )
    parser.add_argument(
        "--cluster", default="", help="a kubeconfig context, instead of the local cluster"
    )
    try:
        _run(parser.parse_args(), Paths.of_user())
    except SetupError as error:
        print_error(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print_error(
            f"the disk is full: {error}\n  -> free some space and run the same command again"
        )
    except KeyboardInterrupt:
        print_line("interrupted; the same command continues from here")
        return 130
    else:
        return 0
    return 1


def _run(arguments: argparse.Namespace, paths: Paths) -> None:
    if arguments.command == "env":
        _env(paths)
        return
    _adjust_to_machine()
    with exclusive_lock(paths.state):
        match arguments.command:
            case "up" if arguments.cluster:
                _up_external(paths, arguments.stack, arguments.cluster)
            case "up":
                _up(paths, arguments.stack)
            case "preview":
                _preview(paths, arguments.stack, arguments.cluster)
            case "down":
                _down(paths)
            case "clean":
                _clean(paths)


def _adjust_to_machine() -> None:
    """Add Debian's sbin folders to PATH, and exclude this machine from proxies."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    for name in ("NO_PROXY", "no_proxy"):
        inherited = os.environ.get(name)
        hosts = [*([inherited] if inherited else []), "localhost", "127.0.0.1"]
        os.environ[name] = ",".join(hosts)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _env(paths: Paths) -> None:
    """Print the environment of the local stack, whether or not it exists."""
    for name, value in environment.local(paths).items():
        print(f"export {name}={shlex.quote(value)}")


def _up(paths: Paths, name: str) -> None:
    is_built = all(tool.is_built(paths) for tool in go_tools.ALL_TOOLS)
    preflight.check(paths, is_built=is_built)
    images.check_settings(paths)
    run_in_parallel(lambda: _build(paths), lambda: _download(paths))
    cluster.start(paths)
    _install_plugins(paths)
    stack = Stack(paths, name, environment.local(paths))
    stack.up()
    wait_and_show(stack)
    show_durations()


def _build(paths: Paths) -> None:
    """Compile what is not built. Pulumi comes first, because it downloads plugins."""
    go_tools.build(paths, go_tools.PULUMI)
    go_tools.build(paths, go_tools.PULUMI_PYTHON)
    go_tools.build(paths, *go_tools.WORKSPACE_TOOLS)
    if needs_build(environment.pulumi(paths), paths):
        go_tools.build(paths, go_tools.PULUMI_KUBERNETES)


def _download(paths: Paths) -> None:
    """Download what is not compiled: network and disk are free while the compiler runs."""
    apt.install()
    cache_crds(paths)
    images.download(paths)


def _install_plugins(paths: Paths) -> None:
    paths.pulumi_home.mkdir(parents=True, exist_ok=True)
    pulumi = environment.pulumi(paths)
    for line in install(pulumi, paths, Path(sys.executable), ROOT):
        print_line(f"    {line}")


def _up_external(paths: Paths, name: str, context: str) -> None:
    environment.pulumi(paths)  # report a missing pulumi before connecting to the cluster
    external = ExternalCluster(paths, context)
    _install_plugins(paths)
    stack = Stack(paths, name, external.environment(stack_file(name)))
    stack.up()
    with external.public_endpoint(str(stack.outputs()["url"]), stack.namespace()) as base:
        wait_and_show(stack, base)


def _preview(paths: Paths, name: str, context: str) -> None:
    """Preview on the local cluster or on another one; other stacks without any cluster."""
    environment.pulumi(paths)
    if not context and name != LOCAL_STACK:
        offline_preview.preview(paths, name)
        return
    env = environment.local(paths)
    if context:
        env = ExternalCluster(paths, context).environment(stack_file(name))
    _install_plugins(paths)
    Stack(paths, name, env).preview()


def _down(paths: Paths) -> None:
    preflight.check_root()
    teardown.stop(paths)
    print_line("ok  the local stack is stopped; `make up` starts it with the same models")


def _clean(paths: Paths) -> None:
    preflight.check_root()
    teardown.delete(paths)
    print_line("ok  the local stack and everything that was built for it are deleted")
