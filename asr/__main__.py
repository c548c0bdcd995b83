"""The program `asr`, or `python -m asr`.

This module imports nothing at its top: `multiprocessing` imports it again in every worker.
"""


def main() -> None:
    """Run the command line, and end quickly."""
    import gc
    import sys

    try:
        from asr.cli.app import main as run

        sys.exit(run())
    except KeyboardInterrupt:  # before a command could deal with it
        sys.exit(130)
    finally:
        gc.freeze()  # Python would search all modules for garbage as it ends


if __name__ == "__main__":
    main()
