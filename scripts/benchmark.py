"""See --help, or `imavatar_lab.cli.benchmark`."""

from imavatar_lab.cli import benchmark_main

if __name__ == "__main__":
    benchmark_main()
