"""The structure of audio files: where their samples are, and what their headers promise.

`find_parts` divides a file into parts. Most files have one part. Files that were joined byte by
byte, such as `cat a.mp3 b.mp3 > both.mp3`, have several.
"""
