"""Language models: n-gram models, recurrent networks, and their interpolation.

`word_lm` has the interface that decoding uses, `ngram`, `recurrent_lm` and `mixture` the models,
`arpa` and `ngram_file` the files of n-gram models, `kneser_ney` their estimation, `interpolation`
what makes one model of several, `entropy_pruning` what makes a small one of a large one (both on
the arrays of `ngram_table`), `text_corpus` the text, and `perplexity` the comparison of models.

May import `asr.data`, `asr.ctc`, `asr.networks` and below.
"""
