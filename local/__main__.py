"""`python -m local`: the commands behind the Makefile."""

import sys

from local.cli import main

sys.exit(main())
