"""Verbalisation: written text → the words that a reader says, for speech synthesis.

`verbalise` applies one table of named rules in order (`verbaliser`). The rules stand in modules by
subject: `dates`, `times`, `money`, `quantities`, `numbers`, `electronic` (addresses of machines),
`telephone`, `abbreviations`, `roman`, `letters` and `signs`.

Recognisers' texts are normalised by `asr.text.normalisers`, where every number has one reading.
"""

from asr.text.verbalisation.verbaliser import verbalise as verbalise
