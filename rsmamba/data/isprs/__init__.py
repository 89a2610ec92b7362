"""The ISPRS 2D semantic labelling benchmark: Vaihingen and Potsdam."""
