"""The command `asr serve`."""

# Annotations must be types, not strings: typer reads them through `decoding_options`.

from typing import TYPE_CHECKING, Annotated

import typer

from asr.base.extras import install_extra
from asr.cli.options import ACCESS, LIMITS, SINGLE_TEXT_OPTIONS, ModelOption, decoding_options
from asr.errors import ConfigError
from asr.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from asr.decoding.decoding_options import Decoding


@decoding_options(*SINGLE_TEXT_OPTIONS)
def serve(
    *,
    model: ModelOption = DEFAULT_MODEL,
    voice: Annotated[
        str,
        typer.Option(
            help="voice that speaks: a shipped name (see asr models) or a model directory, "
            "NAME:SPEAKER if it has several speakers, or none"
        ),
    ] = "en-kathleen",
    host: Annotated[
        str,
        typer.Option(
            help="address to listen on; another one than loopback needs --api-key",
            rich_help_panel=ACCESS,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="port; 0 chooses a free one", rich_help_panel=ACCESS)
    ] = 8000,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="ASR_API_KEY",
            help="key that clients must send; the environment variable hides it from ps",
            show_default="no key",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    wyoming_port: Annotated[
        int | None,
        typer.Option(
            help="port of Home Assistant's protocol Wyoming, usually 10300; without a key only",
            show_default="no Wyoming",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    max_upload: Annotated[
        float, typer.Option(help="largest request, in MB", rich_help_panel=LIMITS)
    ] = 300.0,
    max_duration: Annotated[
        float,
        typer.Option(help="longest recording, in seconds of audio", rich_help_panel=LIMITS),
    ] = 3 * 3600.0,
    max_requests: Annotated[
        int,
        typer.Option(
            help="number of transcriptions in progress at once; further ones are answered 503",
            rich_help_panel=LIMITS,
        ),
    ] = 64,
    max_streams: Annotated[
        int,
        typer.Option(
            help="number of live streams at once; further ones are answered 503",
            rich_help_panel=LIMITS,
        ),
    ] = 16,
    timeout: Annotated[
        float,
        typer.Option(
            help="time after which a request is given up, in seconds", rich_help_panel=LIMITS
        ),
    ] = 600.0,
    decoding: "Decoding",
) -> None:
    """Serve a recogniser and a voice to clients of OpenAI's audio API. Ctrl-C ends it.

    curl http://127.0.0.1:8000/v1/audio/transcriptions -F file=@call.wav
    """
    try:
        if wyoming_port is not None:
            import wyoming  # noqa: F401  # an extra of its own
        from asr.server.application import create_app
        from asr.server.running import listen, make_server
    except ImportError as error:
        raise ConfigError(
            f"asr serve needs the library {error.name}: "
            f"{install_extra('server' if wyoming_port is None else 'wyoming')}"
        ) from None
    from asr.recognizer import load_recognizer
    from asr.server.batching_engine import BatchingEngine
    from asr.server.monitoring import log_to_stderr
    from asr.server.settings import MEGABYTE, ServerSettings

    settings = ServerSettings(
        host,
        port,
        api_key,
        max_upload=round(max_upload * MEGABYTE),
        max_duration=max_duration,
        max_requests=max_requests,
        max_streams=max_streams,
        timeout=timeout,
        voice=None if voice == "none" else voice,
        wyoming_port=wyoming_port,
    )
    with listen(settings) as socket:
        app = create_app(settings, BatchingEngine(load_recognizer(model, decoding)))
        log_to_stderr()
        address = f"[{host}]" if ":" in host else host
        typer.echo(f"serving {model} at http://{address}:{socket.getsockname()[1]}", err=True)
        make_server(app).run(sockets=[socket])
