"""Transcribe recordings from public registries, compare them with the true texts, draw one."""

from pathlib import Path

from asr import Utterance
from asr.cli import demo
from asr.cli.program import run_program

ROOT = Path(__file__).parents[1]


def main() -> None:
    recording = ROOT / "tests" / "fixtures" / "goforward.wav"
    fallback = Utterance("go forward ten meters", 2.786, audio_filepath=recording)
    print(f"picture: {demo.run(ROOT / 'demo', fallback)}")


if __name__ == "__main__":
    run_program(main)
