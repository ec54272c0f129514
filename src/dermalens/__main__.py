"""`python -m dermalens` is `dermalens`."""

from dermalens.cli.main import main

if __name__ == "__main__":
    main()
