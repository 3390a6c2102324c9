"""See --help, or `imavatar.cli.export_avatar`."""

from imavatar.cli import export_avatar_main

if __name__ == "__main__":
    export_avatar_main()
