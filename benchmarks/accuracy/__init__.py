"""Accuracy of three methods on one split of real imagery; run `python -m benchmarks.accuracy`.

A model file of rsmamba, a random forest on colour and local statistics, and a U-Net of about the
same number of parameters trained by the same run. All see the same scenes; every score is read from
one confusion matrix over all labelled pixels of the split.
"""
