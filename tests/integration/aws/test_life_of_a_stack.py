"""The AWS resources without a cluster."""

from __future__ import annotations

from tests.integration.aws.account import Account
from tests.integration.aws.stacks import Stack


def test_update_without_endpoint_is_refused(account: Account, stack: Stack) -> None:
    before = account.resources()
    aws = {key: value for key, value in account.platform["aws"].items() if key != "endpoint"}
    stack.write({**account.platform, "aws": aws})
    assert "aws:lb:LoadBalancer" in stack.succeed("preview", "--suppress-progress")
    refused = stack.fail("up", "--yes", "--skip-preview", "--suppress-progress")
    assert "on this machine only" in refused
    assert account.resources() == before
