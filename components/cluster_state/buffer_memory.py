"""Warn if Traefik has too little memory to buffer bodies for mirrors and failovers."""

from collections.abc import Iterator

from components.config import StackSpec, memory_bytes

_SHARE = 0.5
"""Of a Traefik's memory; the rest is its routes and its own work."""
_AT_ONCE = 8
"""Bodies of full length that should fit into it."""


def warnings(spec: StackSpec) -> Iterator[str]:
    """One for each model whose longest bodies could fill a Traefik; all models share it."""
    memory = memory_bytes(spec.platform.ingress_controller.resources.memory)
    for name, model in spec.models.items():
        fit = int(memory * _SHARE / model.limits.body_bytes)
        holds = [route for route, row in model.routes.items() if row.mirror or row.failover]
        if holds and fit < _AT_ONCE:
            yield (
                f"{name}: Traefik holds whole bodies for the mirror or failover of "
                f"{', '.join(holds)}; {fit} of limits.bodyBytes fill half of its memory: lower "
                "limits.bodyBytes, or raise platform.ingressController.resources.memory"
            )
