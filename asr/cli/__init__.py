"""The `asr` command. Nothing else imports this folder.

May import everything.
"""
