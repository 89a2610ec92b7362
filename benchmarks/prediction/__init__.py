"""What benchmarks/predict.py measures: memory, overhead and seams of the prediction engine."""
