"""From any recording to MFCC features, in numpy and in a TensorFlow graph.

Reading and resampling, features, the feature cache, and augmentation.

May import `asr.base`.
"""
