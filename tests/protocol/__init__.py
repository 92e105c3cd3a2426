"""Tests that hold the written contract to the code."""
