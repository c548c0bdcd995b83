"""From logits to words with times and confidence.

Scorers for the beam search, the decoder, word times, confidence, and long recordings.

May import `asr.language`, `asr.pronunciation`, `asr.ctc` and below.
"""
