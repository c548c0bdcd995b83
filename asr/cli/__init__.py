"""The command line: one module per group of commands, registered in `app`.

The modules `recognition`, `speech`, `serve`, `training`, `evaluation`, `models`, `data`
and `language_models` define the commands. `program` runs them, and ends the process.
`align_files`, `live` and `demo` do the work of `asr align`, `asr listen` and `make demo`. No other
folder imports this one; it may import all others.
"""
