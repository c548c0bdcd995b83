"""The recurrent stack in all its runtimes, and the model directories it is kept in.

LSTM, GRU and vanilla RNN cells in Keras, numpy and ONNX; the acoustic model; weights files.

May import `asr.audio`, `asr.text`, `asr.models` and below.
"""
