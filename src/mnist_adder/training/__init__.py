"""From a model and data to a run. Importing from this package imports Lightning, which takes seconds."""
