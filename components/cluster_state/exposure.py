"""Warn if anyone on the Internet may call models or read the status."""

from collections.abc import Iterator
from ipaddress import ip_network

from components.config import StackSpec

_INTERNET_FACING = "internet-facing"


def exposure_warnings(spec: StackSpec) -> Iterator[str]:
    """Yield a warning for models without tokens, and for a status without one.

    Only where the load balancer is internet-facing and accepts every address of IPv4 or IPv6.
    """
    balancer = spec.platform.load_balancer
    if balancer is None or balancer.scheme != _INTERNET_FACING:
        return
    if all(ip_network(clients).prefixlen for clients in balancer.clients):
        return
    open_models = [name for name, model in spec.models.items() if not model.tokens]
    if open_models:
        yield (
            f"anyone on the Internet can call {', '.join(open_models)}: add tokens to the model, "
            "or limit platform.loadBalancer.clients"
        )
    if spec.platform.deployment_watcher.token is None:
        yield (
            "anyone on the Internet can read /status, with images, commits and errors of models: "
            "set platform.deploymentWatcher.token, or limit platform.loadBalancer.clients"
        )
