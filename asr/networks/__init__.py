"""The recurrent stack in each of its runtimes, and the model directories that hold its weights.

LSTM, GRU and vanilla RNN cells in Keras, NumPy and ONNX; the acoustic model; weights files.

May import `asr.audio`, `asr.text`, `asr.models` and below.
"""
