#include "tests/client/cli_run.h"

#include <stdlib.h>

#include "client/cli.h"

namespace annals {

CliResult RunCli(std::vector<std::string> args) {
  args.insert(args.begin(), "annals");
  std::vector<char *> argv;
  for (std::string &arg : args) {
    argv.push_back(&arg[0]);
  }
  argv.push_back(nullptr);
  char *out = nullptr;
  char *err = nullptr;
  size_t out_size = 0;
  size_t err_size = 0;
  FILE *out_file = open_memstream(&out, &out_size);
  FILE *err_file = open_memstream(&err, &err_size);
  CliResult result = {};
  result.status =
      annals_cli_run(static_cast<int>(args.size()), argv.data(), out_file, err_file, nullptr);
  fclose(out_file);
  fclose(err_file);
  result.out = std::string(out, out_size);
  result.err = std::string(err, err_size);
  free(out);
  free(err);
  return result;
}

}  // namespace annals
