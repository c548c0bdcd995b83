"""The command `asr label`."""

# Annotations must be types, not strings: typer reads them through `decoding_options`.

from typing import TYPE_CHECKING, Annotated

import typer

from asr.base.extras import install_extra
from asr.base.files import output_file
from asr.cli.options import ACCESS, OUTPUT, SINGLE_TEXT_OPTIONS, ModelOption, decoding_options
from asr.errors import ConfigError
from asr.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from asr.decoding.decoding_options import Decoding
    from asr.labelling.label_session import LabelSession


@decoding_options(*SINGLE_TEXT_OPTIONS)
def label(
    source: Annotated[
        str,
        typer.Argument(
            help="folder with recordings, or a .jsonl manifest, whose lines need no text"
        ),
    ],
    *,
    model: ModelOption = DEFAULT_MODEL,
    out: Annotated[
        str,
        typer.Option(
            help="manifest for the labels; an existing one is continued",
            metavar="PATH",
            rich_help_panel=OUTPUT,
        ),
    ] = "labels.jsonl",
    host: Annotated[
        str,
        typer.Option(
            help="address to listen on; another one than loopback needs --api-key",
            rich_help_panel=ACCESS,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="port; 0 chooses a free one", rich_help_panel=ACCESS)
    ] = 8001,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="ASR_API_KEY",
            help="key that the page asks for; the environment variable hides it from ps",
            show_default="no key",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="open the page in the default browser")
    ] = False,
    decoding: "Decoding",
) -> None:
    """Correct the recogniser's texts on a page in the browser, for training. Ctrl-C ends it.

    Each label is saved at once. The same command continues where the last one ended. The exit
    status is 1 if there are recordings that cannot be read.
    """
    try:
        from asr.server.label_application import create_label_app
        from asr.server.running import listen, make_server
    except ImportError as error:
        raise ConfigError(
            f"asr label needs the library {error.name}: {install_extra('server')}"
        ) from None
    from asr.base.interrupts import Stopped, stoppable
    from asr.batch.workers import Transcriber
    from asr.labelling.heard_texts import HeardTexts
    from asr.labelling.label_session import LabelSession, cache_path
    from asr.labelling.label_store import LabelStore
    from asr.labelling.label_task import check_output, find_label_tasks
    from asr.recognizer import load_recognizer
    from asr.server.batching_engine import BatchingEngine
    from asr.server.monitoring import log_to_stderr
    from asr.server.settings import ServerSettings

    settings = ServerSettings(host, port, api_key, voice=None, workers=2)
    path = output_file(out)
    check_output(source, path)
    tasks, failures = find_label_tasks(source)
    with listen(settings) as socket, LabelStore(path, tasks) as store:
        recognizer = load_recognizer(model, decoding)
        session = LabelSession(tasks, failures, store, recognizer.config)
        key = Transcriber(model, decoding).results_key("label")
        cache = HeardTexts(cache_path(path), key)
        app = create_label_app(settings, session, BatchingEngine(recognizer), cache)
        log_to_stderr()
        address = f"[{host}]" if ":" in host else host
        url = f"http://{address}:{socket.getsockname()[1]}/"
        typer.echo(f"{len(tasks)} recordings, labels in {out}; label them at {url}", err=True)
        if open_browser:
            typer.launch(url)
        try:
            with stoppable():
                make_server(app).run(sockets=[socket])
        except Stopped:
            pass  # Ctrl-C is how labelling ends
        _summarise(session)
    if session.failures:
        raise typer.Exit(1)


def _summarise(session: "LabelSession") -> None:
    """Say what cannot be read, and how far labelling is."""
    for failure in session.failures:
        typer.echo(f"error: {failure.error}".replace("\n", "\\n"), err=True)
    progress, errors = session.progress(), session.errors()
    typer.echo(
        f"{progress.labelled} recordings labelled, {progress.unusable} unusable: "
        f"{progress.done / 60:.1f} minutes done, {progress.left / 60:.1f} left; "
        f"labels: {session.store.path}",
        err=True,
    )
    if errors is not None:
        low, high = errors.interval
        typer.echo(
            f"{errors.wer:.1%} of the words that were filled in were wrong ({low:.1%} to {high:.1%}"
            f"): {errors.labels} recordings, {errors.changed} changed",
            err=True,
        )
