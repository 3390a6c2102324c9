"""See --help, or `imavatar.cli.build_head`."""

from imavatar.cli import build_head_main

if __name__ == "__main__":
    build_head_main()
