"""See --help, or `imavatar.cli.export_web`."""

from imavatar.cli import export_web_main

if __name__ == "__main__":
    export_web_main()
