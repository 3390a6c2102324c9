"""See --help, or `imavatar.cli.benchmark`."""

from imavatar.cli import benchmark_main

if __name__ == "__main__":
    benchmark_main()
