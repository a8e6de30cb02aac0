"""What `pulumi up` runs: the stack file becomes the stack."""

from pathlib import Path

import pulumi

from components import config, stack
from components.sources import SourceError

root = Path(__file__).resolve().parent
try:
    stack.build(config.load(root), root)
except SourceError as error:  # a file that changed or vanished after the stack file was checked
    raise pulumi.RunError(str(error)) from None
