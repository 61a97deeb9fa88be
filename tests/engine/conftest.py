import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """As in a worker: several processes of several threads each would only get in each other's way."""
    torch.set_num_threads(1)
