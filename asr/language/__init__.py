"""Recurrent language models: trained on text, mixed with an n-gram model in the search."""
