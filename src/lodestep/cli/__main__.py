"""`python -m lodestep.cli`: the same as the program `lodestep`."""

import sys

from lodestep.cli import main

sys.exit(main())
