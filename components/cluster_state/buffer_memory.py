"""Warn if Traefik has too little memory to buffer bodies for mirrors and failovers."""

from collections.abc import Iterator

from components.config import StackSpec, memory_bytes

_SHARE = 0.5
"""Share of Traefik's memory for buffers; the rest is for routes and requests."""
_AT_ONCE = 8
"""Number of bodies of full length that should fit."""


def buffer_memory_warnings(spec: StackSpec) -> Iterator[str]:
    """Yield a warning for each model whose largest bodies could fill a Traefik's memory."""
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
