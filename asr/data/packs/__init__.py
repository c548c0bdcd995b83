"""Packs: training data in a few large files, shards, that are read from start to end.

A pack is a folder. Its shards are tar files in the layout of WebDataset: audio or features of an
utterance, and a JSON file with its text. An index beside each shard has positions and checksums,
and `pack.json` lists the shards. `write_pack` makes a pack, `read_utterances` reads a pack where a
manifest is expected.

May import `asr.audio`, `asr.text` and below, and `asr.data.manifest`.
"""
