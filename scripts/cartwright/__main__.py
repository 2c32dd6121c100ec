"""``python -m cartwright`` is the same as ``cartwright``."""

from cartwright.cli import main

if __name__ == "__main__":
    main()
