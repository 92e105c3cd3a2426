"""Routing: tests of the pure floor. Time is a number; nothing here waits."""
