"""What `pulumi up` runs: the stack file becomes the stack."""

from pathlib import Path

import pulumi

from components import config, stack
from components.live.look import look
from components.sdk import Registrations, drop_debug_lines
from components.sources import SourceError

drop_debug_lines()
registrations = Registrations()
root = Path(__file__).resolve().parent
try:
    spec = config.load(root)
    stack.build(spec, root, look(spec.platform.namespace))
    registrations.wait_first()
except SourceError as error:  # a file that changed or vanished after the stack file was checked
    raise pulumi.RunError(str(error)) from None
