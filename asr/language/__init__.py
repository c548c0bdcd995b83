"""Language models: n-grams, recurrent networks, and mixtures of the two.

May import `asr.data`, `asr.ctc`, `asr.networks` and below.
"""
