"""The roof: the only floor that knows an editor exists. It imports no adapter."""
