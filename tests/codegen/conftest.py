from engine.conftest import one_thread  # noqa: F401
