"""The program `asr`, or `python -m asr`. It imports little here: a worker process imports the main
module once more, for nothing (`multiprocessing`)."""

import re
import sys


def main() -> None:
    """Entry point: run the command line, and end quickly."""
    import gc

    try:
        from asr.processes import start_ahead

        start_ahead(workers_of(sys.argv[1:]))
        from asr.cli import main as run

        sys.exit(run())
    except KeyboardInterrupt:  # before there was a command to deal with it
        sys.exit(130)
    finally:
        gc.freeze()  # Python would search all modules for garbage as it ends


def workers_of(arguments: list[str]) -> int:
    """How many worker processes these ask for, by a look that is over before they can be parsed:
    where it is wrong, processes start later, or for nothing."""
    asked = re.search(r" --workers[ =](\d+)( |$)", " ".join(arguments))
    return int(asked[1]) if asked and arguments[0] == "transcribe" else 1


if __name__ == "__main__":
    main()
