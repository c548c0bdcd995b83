"""`asr serve`: the recogniser and a voice behind the protocols that existing clients speak.

`create_app` (application.py) makes the ASGI application. `BatchingEngine` (batching_engine.py) owns
the recogniser, `WorkerPool` (worker_pool.py) runs the decoders of untrusted audio in processes that
may die, and each protocol has a module of routes. Needs the extra `server`.

May import everything but the command line.
"""
