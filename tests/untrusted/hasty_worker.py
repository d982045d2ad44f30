"""The process that runs an ONNX model, with a total of processor time that is soon used up."""

from dataclasses import replace

from proxylab.untrusted import confined, onnx_worker

confined.LIMITS = replace(confined.LIMITS, cpu_total=4)

if __name__ == "__main__":
    confined.run(onnx_worker.main)
