"""The recipes that benchmarks are measured against, written anew from their descriptions."""
