"""`python -m postroom_cli` is `postroom`."""

from postroom_cli.main import main

if __name__ == "__main__":
    main(prog_name="postroom")
