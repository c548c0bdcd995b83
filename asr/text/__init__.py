"""Text and its label ids.

Normalisers, tokenizers, the phone inventory, and, in `verbalisation`, written text as a reader says
it.

May import `asr.base`.
"""
