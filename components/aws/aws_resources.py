"""The AWS resources of a stack: ECR repositories and the load balancer.

Only stacks with a section `aws` import this module, so the others do not load pulumi-aws.
"""

from collections.abc import Iterable

import pulumi
from pulumi_aws import ecr

from components.aws.account import StackReferences, provider
from components.aws.load_balancer import LoadBalancer, LoadBalancerArgs
from components.aws.registry import Registry, RegistryArgs
from components.config import AwsSpec, PlatformSpec


def build(
    platform: PlatformSpec, account: AwsSpec, repositories: Iterable[str]
) -> dict[str, ecr.Repository]:
    """Declare the resources; return the repositories by name, for images to depend on."""
    stack_references = StackReferences()
    opts = pulumi.ResourceOptions(providers=[provider(account)])
    if platform.load_balancer is not None:
        LoadBalancer(
            "load-balancer",
            LoadBalancerArgs(
                hostname=platform.hostname,
                node_port=platform.ingress_controller.node_port,
                ping_port=platform.ingress_controller.ping_port,
                redirect_port=platform.ingress_controller.redirect_port,
                account=account,
                stack_references=stack_references,
                spec=platform.load_balancer,
            ),
            opts,
        )
    if account.repositories is None:
        return {}
    role = stack_references.resolve(account.nodes.role)
    args = RegistryArgs(account.repositories, repositories, role)
    return Registry("registry", args, opts).repositories
