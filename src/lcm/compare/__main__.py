from lcm.compare.cli import main

main()
