"""Torch modules: torch.export programs and TorchScript, judged before torch sees them."""
