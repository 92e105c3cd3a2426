"""The steps of one request's story, told by ``completion``: nobody else opens this door. One request's own, save for ``errand.Means``."""
