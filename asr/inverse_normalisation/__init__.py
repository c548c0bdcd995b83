"""Inverse text normalisation: "twenty three dollars" becomes "$23".

`NumberWriter`, the spoken forms that check its output, and its training pairs.

May import `asr.seq2seq` and below.
"""
