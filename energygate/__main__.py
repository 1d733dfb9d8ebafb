"""`python -m energygate`: the command line."""

from energygate.cli.main import main

if __name__ == "__main__":
    main()
