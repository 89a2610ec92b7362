"""Several class maps joined to one, on one grid."""
