"""Write the figures of a benchmark into its section of bench/RESULTS.md.

Each run replaces the section. Text outside the sections is written by hand and kept.
"""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "RESULTS.md"
_GIB = 2**30


def write(name: str, command: str, lines: Sequence[str], path: Path = RESULTS) -> None:
    """Write the lines of a benchmark into its section; append a new section."""
    text = path.read_text(encoding="utf-8")
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    about = f"`{command}`, {_when()}, {_machine()}."
    body = "\n".join([begin, about, "", *(f"- {line}" for line in lines), end])
    section = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if section.search(text):
        text = section.sub(lambda _: body, text)
    else:
        text = f"{text.rstrip()}\n\n### {name}\n\n{body}\n"
    path.write_text(text, encoding="utf-8")


def _when() -> str:
    describe = ["git", "describe", "--always", "--dirty"]
    describe_result = subprocess.run(
        describe, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {describe_result.stdout.strip() or 'unknown'}"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores, {memory:.0f} GiB, kernel {platform.release()}, load {load:.1f} at the end"
    )
