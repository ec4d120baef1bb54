// The command line, run in this process.
#ifndef ANNALS_TESTS_CLIENT_CLI_RUN_H_
#define ANNALS_TESTS_CLIENT_CLI_RUN_H_

#include <string>
#include <vector>

namespace annals {

struct CliResult {
  int status;
  std::string out;
  std::string err;
};

// args: what follows "annals".
CliResult RunCli(std::vector<std::string> args);

}  // namespace annals

#endif
