"""`lodestep configmap`."""

from lodestep.cli.keyed_commands import group
from lodestep.cli.kinds import CONFIG_MAP

configmap = group("configmap", CONFIG_MAP)
