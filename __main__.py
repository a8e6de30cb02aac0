"""What `pulumi up` runs: the stack file becomes the stack."""

from pathlib import Path

from components import config, stack

root = Path(__file__).resolve().parent
stack.build(config.load(root), root)
