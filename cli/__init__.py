"""The commands of rsmamba; packaged as rsmamba.cli."""
