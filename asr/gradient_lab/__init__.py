"""What a recurrent cell remembers: gradients through time, measured.

May import `asr.networks` and `asr.base`.
"""
