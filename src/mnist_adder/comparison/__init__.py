"""Several models with several seeds, trained one after the other and put side by side."""
