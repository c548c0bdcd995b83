"""The program `asr`, or `python -m asr`. It imports nothing here: a worker process imports the main
module once more, for nothing (`multiprocessing`)."""

import sys


def main() -> None:
    """Entry point: run the command line, and end quickly."""
    import gc

    from asr.cli import main as run

    try:
        sys.exit(run())
    finally:
        gc.freeze()  # Python would search all modules for garbage as it ends


if __name__ == "__main__":
    main()
