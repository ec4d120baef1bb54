#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli.h"
#include "client/offline/offline.h"

/* A closed standard stream would give its number to a socket, and the output to the server. */
static void hold_standard_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) {
      exit(ANNALS_EXIT_FAILED);
    }
  }
}

int main(int argc, char **argv) {
  hold_standard_streams();
  /* A reader that has gone shows as a failed write. */
  signal(SIGPIPE, SIG_IGN);
  /* What fails is said once, by us. */
  g_setenv("GRPC_VERBOSITY", "NONE", FALSE);
  return annals_cli_run(argc, argv, stdout, stderr, annals_offline_commands);
}
