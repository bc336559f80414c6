"""Inference modules of vocoders, which ONNX can express."""
