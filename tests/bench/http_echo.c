/*
 * The baseline of HTTP reads: libmicrohttpd answering every request with the same bytes from
 * memory.
 *
 * Usage: http_echo BYTES
 * Prints `echo ready http=127.0.0.1:PORT` and serves until it is killed.
 */
#include <arpa/inet.h>
#include <glib.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **state) {
  static int seen;
  (void)url, (void)method, (void)version, (void)upload;
  if (*state == NULL) {
    *state = &seen;
    return MHD_YES;
  }
  if (*upload_bytes > 0) {
    *upload_bytes = 0;
    return MHD_YES;
  }
  return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: http_echo BYTES\n");
    return 2;
  }
  size_t size = (size_t)strtoull(argv[1], NULL, 10);
  char *bytes = g_malloc0(size);
  struct MHD_Response *response =
      MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_PERSISTENT);
  MHD_add_response_header(response, "Content-Type", "application/x-amz-json-1.0");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct MHD_Daemon *daemon =
      MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, response,
                       MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
  if (daemon == NULL) {
    fprintf(stderr, "http_echo: cannot listen\n");
    return EXIT_FAILURE;
  }
  printf("echo ready http=127.0.0.1:%d\n",
         (int)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
  fflush(stdout);
  pause();
}
