/* annalsd: reads its options, starts the server, waits for a signal. */
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/notify.h"
#include "server/ops/descriptors.h"
#include "server/ops/log.h"
#include "server/options.h"
#include "server/reload.h"
#include "server/server.h"

enum {
  EXIT_USAGE = 2,
  /* Pages and appends of this size and more go back to the system when they are freed. */
  MMAP_THRESHOLD_BYTES = 1024 * 1024,
  /* What smaller ones leave at the end of the heap stays, or each would fault its memory in anew.
   */
  TRIM_THRESHOLD_BYTES = 16 * 1024 * 1024,
  NS_PER_US = 1000,
};

static void signals_to_wait_for(sigset_t *ret_signals) {
  sigemptyset(ret_signals);
  sigaddset(ret_signals, SIGTERM);
  sigaddset(ret_signals, SIGINT);
  sigaddset(ret_signals, SIGHUP);
}

static void reload(struct annals_server *server, bool asked) {
  if (asked) {
    annals_notify_reloading();
  }
  annals_server_reload(server, asked);
  if (asked) {
    annals_notify_reloaded();
  }
}

/* How long to wait for a signal before files and systemd have their turn. */
static struct timespec look_interval(const struct annals_notify *notify) {
  gint64 look_us = (gint64)ANNALS_RELOAD_LOOK_S * G_USEC_PER_SEC;
  if (notify->beat_us > 0) {
    look_us = MIN(look_us, notify->beat_us);
  }
  return (struct timespec){
      .tv_sec = look_us / G_USEC_PER_SEC,
      .tv_nsec = look_us % G_USEC_PER_SEC * NS_PER_US,
  };
}

/* Tells systemd what /livez says, and whoever reads the log when it says no for the first time:
 * where nobody appends, no call fails of it. */
static void tell_of_life(const struct annals_server *server, struct annals_notify *notify,
                         bool *is_told) {
  const char *why;
  if (annals_server_is_live(server, &why)) {
    annals_notify_beat(notify);
  } else if (!*is_told) {
    *is_told = true;
    annals_log_error("not live", ANNALS_LOG_TEXT("reason", why));
  }
}

/* Has files read again meanwhile. Returns the signal that says to stop. */
static int wait_for_stop(struct annals_server *server, const sigset_t *signals) {
  struct annals_notify notify;
  bool is_told = false;
  annals_notify_init(&notify);
  const struct timespec look = look_interval(&notify);
  for (;;) {
    tell_of_life(server, &notify, &is_told);
    int signal_number = sigtimedwait(signals, NULL, &look);
    if (signal_number == SIGTERM || signal_number == SIGINT) {
      return signal_number;
    }
    reload(server, signal_number == SIGHUP);
  }
}

static int run(const struct annals_options *options, const sigset_t *signals) {
  struct annals_server *server = NULL;
  g_autoptr(GError) error = NULL;
  if (!annals_server_start(options, &server, &error)) {
    annals_log_error("cannot start", ANNALS_LOG_TEXT("error", error->message));
    return EXIT_FAILURE;
  }
  g_autofree char *addresses = annals_server_addresses(server);
  printf("annalsd ready %s\n", addresses);
  fflush(stdout);
  annals_notify_ready(addresses);
  int signal_number = wait_for_stop(server, signals);
  annals_log_info("stopping", ANNALS_LOG_TEXT("signal", g_strsignal(signal_number)));
  annals_notify_stopping();
  annals_server_free(server);
  return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  struct annals_options options;
  enum annals_log_level level;
  sigset_t signals;
  g_autoptr(GError) error = NULL;
  /* For --help. Not LC_MESSAGES: what is logged is in one language. */
  setlocale(LC_CTYPE, "");
  if (!annals_options_read(argc, argv, &options, &error)) {
    fprintf(stderr, "annalsd: %s\nTry annalsd --help.\n", error->message);
    return EXIT_USAGE;
  }
  if (!annals_log_level_parse(options.log_level, &level)) {
    fprintf(stderr, "annalsd: --log-level: '%s' is not debug, info, warning or error\n",
            options.log_level);
    annals_options_clear(&options);
    return EXIT_USAGE;
  }
  annals_log_start(level);
  (void)annals_descriptors_raise();
  mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
  mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES);
  /* glibc's 8 for each processor leave more memory in pieces that nobody can use. */
  mallopt(M_ARENA_MAX, (int)g_get_num_processors());
  /* Threads inherit the mask: signals come to sigtimedwait alone. */
  signals_to_wait_for(&signals);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  signal(SIGPIPE, SIG_IGN);
  /* gRPC's own log is not in our form, and says nothing that our errors do not. */
  g_setenv("GRPC_VERBOSITY", "NONE", FALSE);
  int status = run(&options, &signals);
  annals_options_clear(&options);
  return status;
}
