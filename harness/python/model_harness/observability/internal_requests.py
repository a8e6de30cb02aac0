"""The request id of the harness's own probes, which no metric counts."""

import base64
import os

INTERNAL_REQUEST_ID = base64.b32encode(os.urandom(10)).decode()
"""16 characters, random per container: a constant would let clients hide their requests."""
