"""What rooroute costs over bare httpx: ``python -m tests.benchmarks``. Nothing here is timed by the test suite."""
