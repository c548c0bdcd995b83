"""Time series with the recurrent stack: forecasts, anomaly detection and example series.

May import `asr.networks` and `asr.base`.
"""
