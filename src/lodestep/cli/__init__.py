"""The command line. `main` is what the program `lodestep` calls; the rest is imported when a command needs it."""


def main() -> int:
    """Run the command line of this process. Returns the exit code."""
    from lodestep.cli.root import run

    return run()
