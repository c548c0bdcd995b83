"""Experiments with recurrent cells: gradients through time, memory horizons and costs.

May import `asr.networks` and `asr.base`.
"""
