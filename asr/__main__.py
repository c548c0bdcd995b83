"""The program `asr`, also run as `python -m asr`.

Nothing is imported at the top: `multiprocessing` imports this module again in every worker.
"""


def main() -> None:
    """Run the command line, and exit quickly."""
    import gc
    import sys

    try:
        from asr.cli.app import main as run

        run()
    except KeyboardInterrupt:  # Ctrl-C before a command handles it
        sys.exit(130)
    finally:
        gc.freeze()  # otherwise Python searches all modules for garbage as it exits


if __name__ == "__main__":
    main()
