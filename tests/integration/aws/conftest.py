"""A moto server on this machine, and stacks that use no other AWS."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from moto.server import ThreadedMotoServer

from local.paths import Paths
from local.pulumi import environment
from local.pulumi.plugins.install import install
from tests.integration.aws.account import Account, furnish
from tests.integration.aws.stacks import PROGRAM, ROOT, Stack


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    # request lines would hide failures
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # its state belongs to the process, not to the server
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10).raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def account(moto: str) -> Account:
    return furnish(moto)


@pytest.fixture(scope="session")
def pulumi_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    users = Paths.of_user()
    paths = dataclasses.replace(users, state=tmp_path_factory.mktemp("state"))
    paths.pulumi_home.mkdir()
    plugins = ["kubernetes", "docker", "aws"]
    install(environment.pulumi(users), paths, Path(sys.executable), ROOT, plugins)
    return paths.pulumi_home


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pulumi_home: Path) -> Stack:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "Pulumi.yaml").write_text("name: rehearsal\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    stack = Stack(folder, environment.pulumi(Paths.of_user()), pulumi_home)
    stack.succeed("stack", "init")
    return stack
