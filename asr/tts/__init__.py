"""Text to speech.

Text becomes sentences of phone symbols (`sentences`), log-mel frames (`voice_runtime`, `mel`) and
samples (`source_filter`, or `vocoder` for voices without a trained one), without TensorFlow;
`voice_network`, `source_filter_network` and `vocoder_graph` are for training and export.
`synthesizer` puts them together, `speak` writes files, and `engines` makes
training speech with this and other text-to-speech programs, and with the voice of `kokoro`.

May import `asr.pronunciation`, `asr.data`, `asr.networks` and below.
"""
