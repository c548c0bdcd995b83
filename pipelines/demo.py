"""Transcribe real recordings from a public registry beside their references; draw one of them."""

from pathlib import Path

from asr.cli import demo
from asr.data.manifest import Utterance

ROOT = Path(__file__).parents[1]


def main() -> None:
    recording = ROOT / "tests" / "fixtures" / "goforward.wav"
    fallback = Utterance("go forward ten meters", 2.786, audio_filepath=recording)
    print(f"drawn: {demo.run(ROOT / 'demo', fallback)}")


if __name__ == "__main__":
    main()
