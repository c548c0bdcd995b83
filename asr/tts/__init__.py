"""Text to speech: sentences, phones, durations, mel frames, samples.

The voice network, the vocoder, the synthesizer, and packaged engines for training speech.

May import `asr.pronunciation`, `asr.data`, `asr.networks` and below.
"""
