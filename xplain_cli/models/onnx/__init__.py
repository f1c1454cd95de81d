"""ONNX files: tables, texts and pictures through onnxruntime."""
