"""The harness is a package of its own, which the repository's other code never imports."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "harness" / "python"))
