"""`lodestep secret`."""

from lodestep.cli.keyed_commands import group
from lodestep.cli.kinds import SECRET

secret = group("secret", SECRET)
