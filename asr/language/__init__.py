"""Language models: n-gram models, recurrent networks, and their interpolation.

`word_lm` has the interface that decoding uses, `ngram`, `recurrent_lm` and `mixture` the models,
`arpa` the files of n-gram models, `kneser_ney` their estimation, `sentences` the text to estimate
from, and `perplexity` the comparison of models.

May import `asr.data`, `asr.ctc`, `asr.networks` and below.
"""
