"""`python -m components.recovery.complete_import`: complete a state after `pulumi import`.

    pulumi preview --json > preview.json
    pulumi stack export > state.json
    python -m components.recovery.complete_import preview.json state.json > complete.json
    pulumi stack import --file complete.json

The Kubernetes objects get the inputs that the program declares, and the images get an entry each.
"""

import argparse
import json
import sys
from pathlib import Path

from components.recovery.adopt_objects import with_declared_inputs
from components.recovery.import_images import with_images


def main() -> int:
    """Read the preview and the state, write the completed state to stdout."""
    parser = argparse.ArgumentParser(prog="python -m components.recovery.complete_import")
    parser.add_argument("preview", type=Path, help="output of pulumi preview --json")
    parser.add_argument("state", type=Path, help="output of pulumi stack export")
    arguments = parser.parse_args()
    preview = json.loads(arguments.preview.read_text())
    state = with_declared_inputs(preview, json.loads(arguments.state.read_text()))
    completed, missing = with_images(preview, state)
    json.dump(completed, sys.stdout, indent=2)
    sys.stderr.writelines(f"left out: {name} runs nowhere\n" for name in missing)
    return 0


if __name__ == "__main__":
    sys.exit(main())
