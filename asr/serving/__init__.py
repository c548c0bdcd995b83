"""Models behind TensorFlow Serving: SavedModel export, and the client.

May import `asr.recognizer`, `asr.tts` and below.
"""
