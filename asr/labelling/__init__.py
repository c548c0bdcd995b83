"""Labelling: recordings with the recogniser's texts become training data, corrected by a person.

`find_label_tasks` (label_task.py) lists the recordings, `HeardTexts` (heard_texts.py) caches what
the recogniser heard, `LabelOrder` (order.py) decides what comes next, and `LabelStore`
(label_store.py) keeps each label in a manifest at once. `LabelSession` (label_session.py) is all of
it for the routes of `asr label`.

May import evaluation and everything below it.
"""
