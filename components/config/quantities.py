"""CPU and memory as Kubernetes writes them.

Values are converted to the API server's canonical form (`0.5` becomes `500m`, `1024Mi`
becomes `1Gi`). Otherwise a refresh would report a difference in an unchanged value.
"""

import re
from decimal import Decimal

from kubernetes.utils.quantity import format_quantity, parse_quantity

from components.errors import value_error

_CPU = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?m?")
_MEMORY = re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?([KMGT]i|[kMGT])?")
_BINARY, _DECIMAL = ("Ti", "Gi", "Mi", "Ki"), ("T", "G", "M", "k")
_LEAST_MEMORY = 32 * 2**20
"""Bytes. Neither a harness nor Traefik starts with less: the unit was probably forgotten."""


def cpu_millicores(text: str) -> int:
    """Return the CPU in millicores. Raises PydanticCustomError unless the amount is positive."""
    amount = parse_quantity(text) * 1000 if _CPU.fullmatch(text) else Decimal(0)
    if amount <= 0 or amount != int(amount):
        raise value_error("write cores, such as 500m for half of one, or 2 (in quotes)")
    return int(amount)


def memory_bytes(text: str) -> int:
    """Return the memory in bytes. Raises PydanticCustomError for too little or another form."""
    if not _MEMORY.fullmatch(text):
        raise value_error("write an amount such as 512Mi or 1Gi")
    amount = int(parse_quantity(text))
    if amount < _LEAST_MEMORY:
        raise value_error("write at least 32Mi, with its unit, such as 512Mi or 1Gi")
    return amount


def canonical_cpu(text: str) -> str:
    """Format whole cores as a number, fractions in millicores."""
    millicores = cpu_millicores(text)
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)


def canonical_memory(text: str) -> str:
    """Format with the largest exact unit of the written family (binary or decimal)."""
    amount = memory_bytes(text)
    for unit in _BINARY if text.endswith("i") else _DECIMAL:
        if amount % int(parse_quantity(f"1{unit}")) == 0:
            return str(format_quantity(Decimal(amount), unit))
    return str(amount)
