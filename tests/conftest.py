"""What tests of several folders start from."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Torch on one thread: for so few frames it is slower on several."""
    import torch  # which many tests do without

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
