"""The steps of the story, each by itself; the story as a whole is told in ``tests/test_completion.py``."""
