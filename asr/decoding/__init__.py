"""Decoding: from the network's logits to words with times and confidences.

`options` has the options and `decoder` the decoder; `word_scorer`, `lexicon_scorer`, `weighted_lm`
and `hot_words` score words in the beam search; `lm_record` stores the weights of a language model.
`speech_detector`, `windowing` and `windowed_recording` cut long recordings into windows;
`emission_joiner` joins the windows' emissions, `window_joiner` to decode them and
`joined_emissions` to align a text. `voice_activity` removes words where there is no voice;
`word_times` and `confidence` add times and confidences to words.

May import `asr.language`, `asr.pronunciation`, `asr.networks`, `asr.ctc` and below.
"""
