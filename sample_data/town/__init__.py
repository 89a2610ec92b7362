"""A procedural little town seen from the air: the generator behind `sample_data`.

Points are float arrays of shape (n, 2) holding (col, row) in output pixels. A scene is drawn on a
canvas with `SCALE` samples per output pixel and side, lit by one sun, and seen through a sensor.
"""
