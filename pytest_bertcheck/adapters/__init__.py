"""How the frameworks' own objects become a :class:`pytest_bertcheck.Pipeline`.

One module for each framework; a framework is imported inside functions only.
"""
