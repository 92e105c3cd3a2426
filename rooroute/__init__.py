"""rooroute: requests to language models that simply get answered.

The floors, top to bottom; imports only go down: ``cli``, ``rpc``, ``completion`` and its neighbours, ``adapters``, ``routing`` and
``providers`` (pure), ground (values). Nothing is re-exported here.
"""
