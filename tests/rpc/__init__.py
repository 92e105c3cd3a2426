"""Tests of the roof, most of them against a real process over real pipes."""
