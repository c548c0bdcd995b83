"""From spoken to written form: "twenty three dollars" becomes "$23".

The writer, the spoken forms that check it, and the pairs it is trained on.

May import `asr.seq2seq` and below.
"""
