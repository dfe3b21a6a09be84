"""Tests of the scripts in benchmarks that others rely on."""
