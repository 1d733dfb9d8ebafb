"""Work that is queued on a GPU when a function returns: it is waited for before each reading."""

import sys


def finish_queued_work() -> None:
    """Wait for what PyTorch has queued, if this process uses it on CUDA; it is never imported.

    Notes
    -----
    `torch.cuda.synchronize` waits for one device, and would set up one that nobody has used yet: so it is asked for
    the current one and for those that hold memory.
    """
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return
    current = cuda.current_device()
    for device in range(cuda.device_count()):
        if device == current or cuda.memory_reserved(device):
            cuda.synchronize(device)
