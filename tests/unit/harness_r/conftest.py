"""Make both packages of the R harness importable."""

import sys
from pathlib import Path

_HARNESS = Path(__file__).resolve().parents[3] / "harness"
for _folder in ("python", "r"):
    if str(_HARNESS / _folder) not in sys.path:
        sys.path.insert(0, str(_HARNESS / _folder))
