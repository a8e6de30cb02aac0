"""The AWS resources of a stack: ECR repositories and the load balancer.

Only stacks with a section `aws` import this module, so the others do not load pulumi-aws.
"""

from collections.abc import Iterable

from pulumi_aws import ecr

from components.aws.account import StackReferences, provider
from components.aws.load_balancer import LoadBalancer, LoadBalancerArgs
from components.aws.registry import Registry
from components.config import AwsSpec, PlatformSpec


def build(
    platform: PlatformSpec, account: AwsSpec, repositories: Iterable[str]
) -> dict[str, ecr.Repository]:
    """Declare the resources; return the repositories by name, for images to depend on."""
    aws_provider, stack_references = provider(account), StackReferences()
    if platform.load_balancer is not None:
        LoadBalancer(
            "load-balancer",
            LoadBalancerArgs(
                hostname=platform.hostname,
                node_port=platform.ingress_controller.node_port,
                ping_port=platform.ingress_controller.ping_port,
                redirect_port=platform.ingress_controller.redirect_port,
                account=account,
                spec=platform.load_balancer,
            ),
            stack_references,
            aws_provider,
        )
    if account.repositories is None:
        return {}
    role = stack_references.resolve(account.nodes.role)
    return Registry("registry", account, repositories, role, aws_provider).repositories
