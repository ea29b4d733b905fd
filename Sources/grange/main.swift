// The program: everything is in the target CLI.

import CLI
import Glibc

exit(
  GrangeCommand.main(
    Array(CommandLine.arguments.dropFirst()), program: CommandLine.arguments.first ?? "grange"))
