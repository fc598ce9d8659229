"""``python -m mnist_adder`` is ``mnist-adder``."""

from mnist_adder.cli import main

if __name__ == "__main__":
    main()
