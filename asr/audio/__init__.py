"""Recordings and their MFCC features, in numpy and in a TensorFlow graph.

Reading and resampling of recordings, features, a cache of features, and augmentation.

May import `asr.base`.
"""
