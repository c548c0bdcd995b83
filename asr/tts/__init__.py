"""Text to speech: text → symbols → durations and mel frames → samples."""
