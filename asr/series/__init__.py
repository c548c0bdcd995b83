"""Time series on the recurrent stack: forecasts and anomalies.

May import `asr.networks` and `asr.base`.
"""
