"""Outputs of another stack replace ids, resolved by the real engine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from tests.integration.aws.account import Account
from tests.integration.aws.stacks import Stack

NETWORK = """
import json
from pathlib import Path
import pulumi

for name, value in json.loads(Path("outputs.json").read_text()).items():
    pulumi.export(name, value)
"""
REFERENCE = "stack://organization/network/test#"


def test_ids_are_outputs_of_other_stack(account: Account, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: network\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(NETWORK)
    subnets = [subnet["id"] for subnet in account.balancer["subnets"]]
    outputs = json.dumps({"vpcId": account.platform["aws"]["vpc"]["id"], "subnets": subnets})
    (tmp_path / "outputs.json").write_text(outputs)
    network = dataclasses.replace(stack, folder=tmp_path, backend=stack.folder)
    network.succeed("stack", "init")
    network.up()

    referring = _referring(account, "vpcId")
    stack.write(referring)
    stack.up()
    (balancer,) = account.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert {zone["SubnetId"] for zone in balancer["AvailabilityZones"]} == set(subnets)
    assert balancer["VpcId"] == account.platform["aws"]["vpc"]["id"]
    stack.unchanged()
    stack.destroy()

    stack.write(_referring(account, "vpcID"))
    assert "vpcID" in stack.fail("preview", "--suppress-progress")


def _referring(account: Account, vpc: str) -> dict[str, Any]:
    aws, balancer = account.platform["aws"], account.balancer
    subnets = [
        {**subnet, "id": f"{REFERENCE}subnets.{place}"}
        for place, subnet in enumerate(balancer["subnets"])
    ]
    return {
        **account.platform,
        "aws": {**aws, "vpc": {**aws["vpc"], "id": f"{REFERENCE}{vpc}"}},
        "loadBalancer": {**balancer, "subnets": subnets, "deletionProtection": False},
    }
