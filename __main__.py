"""What `pulumi up` runs: the stack file becomes the stack."""

from pathlib import Path

import pulumi

from components import stack
from components.cluster_state.snapshot import take_snapshot
from components.config import stack_config
from components.pulumi_patches import RegistrationBarrier, disable_debug_logging
from components.sources import SourceError

disable_debug_logging()
registrations = RegistrationBarrier()
root = Path(__file__).resolve().parent
try:
    spec = stack_config.load(root)
    stack.build(spec, root, take_snapshot(spec.platform.namespace))
    registrations.install()
except SourceError as error:  # a file that changed or vanished after the stack file was checked
    raise pulumi.RunError(str(error)) from None
