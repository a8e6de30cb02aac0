"""Make the package of the harness importable: other code of the repository never imports it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "harness" / "python"))
