"""Small real scenarios that go wrong, each in one way, for the tests of the stress harness."""
