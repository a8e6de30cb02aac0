"""CPU and memory as Kubernetes writes them.

They are brought to the form that the API server answers with (`0.5` becomes `500m`, `1024Mi`
becomes `1Gi`). Otherwise a refresh would report a difference in an unchanged value.
"""

import re
from decimal import Decimal

from components.errors import value_error

_CPU = re.compile(r"(?P<number>[0-9]{1,9}(\.[0-9]{1,3})?)(?P<milli>m)?")
_MEMORY = re.compile(r"(?P<number>[0-9]{1,12}(\.[0-9]{1,3})?)(?P<unit>[KMGT]i|[kMGT])?")
_BINARY = {"Ti": 2**40, "Gi": 2**30, "Mi": 2**20, "Ki": 2**10}
_DECIMAL = {"T": 10**12, "G": 10**9, "M": 10**6, "k": 10**3}
_LEAST_MEMORY = 32 * 2**20
"""Bytes. Less starts neither a harness nor Traefik; it is a forgotten unit."""


def cpu_millicores(text: str) -> int:
    """Return the CPU in millicores. Raises PydanticCustomError for what is no positive amount."""
    match = _CPU.fullmatch(text)
    amount = Decimal(match["number"]) if match else Decimal(0)
    if match and not match["milli"]:
        amount *= 1000
    if amount <= 0 or amount != int(amount):
        raise value_error("write cores, such as 500m for half of one, or 2 (in quotes)")
    return int(amount)


def memory_bytes(text: str) -> int:
    """Return the memory in bytes. Raises PydanticCustomError for too little or another form."""
    match = _MEMORY.fullmatch(text)
    if not match:
        raise value_error("write an amount such as 512Mi or 1Gi")
    factor = (_BINARY | _DECIMAL).get(match["unit"] or "", 1)
    amount = int(Decimal(match["number"]) * factor)
    if amount < _LEAST_MEMORY:
        raise value_error("write at least 32Mi, with its unit, such as 512Mi or 1Gi")
    return amount


def canonical_cpu(text: str) -> str:
    """Whole cores as a number, everything else in thousandths."""
    millicores = cpu_millicores(text)
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)


def canonical_memory(text: str) -> str:
    """The largest unit that divides it, of the family (binary or decimal) that was written."""
    amount = memory_bytes(text)
    for unit, factor in (_BINARY if text.endswith("i") else _DECIMAL).items():
        if amount % factor == 0:
            return f"{amount // factor}{unit}"
    return str(amount)
