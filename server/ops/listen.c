#include "server/ops/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

struct annals_listen_address {
  char *text; /* as given */
  struct addrinfo *found;
};

G_DEFINE_QUARK(annals_listen_error, annals_listen_error)

/* Splits [HOST]:PORT or HOST:PORT. ret_host is the caller's to free. */
static bool split(const char *text, char **ret_host, const char **ret_port) {
  const char *colon = strrchr(text, ':');
  if (colon == NULL || colon == text) {
    return false;
  }
  guint64 port;
  if (!g_ascii_string_to_unsigned(colon + 1, 10, 0, UINT16_MAX, &port, NULL)) {
    return false;
  }
  size_t size = (size_t)(colon - text);
  bool brackets = text[0] == '[' && text[size - 1] == ']';
  if (brackets) {
    text++;
    size -= 2;
  }
  bool colons = memchr(text, ':', size) != NULL;
  if (size == 0 || colons != brackets || memchr(text, '[', size) != NULL) {
    return false;
  }
  *ret_host = g_strndup(text, size);
  *ret_port = colon + 1;
  return true;
}

bool annals_listen_address_parse(const char *text, struct annals_listen_address **ret_address,
                                 GError **error) {
  g_autofree char *host = NULL;
  const char *port;
  if (!split(text, &host, &port)) {
    g_set_error(error, ANNALS_LISTEN_ERROR, ANNALS_LISTEN_ERROR_ADDRESS,
                "%s: not HOST:PORT (such as 127.0.0.1:8083 or [::1]:8083)", text);
    return false;
  }
  const struct addrinfo hints = {
      .ai_family = AF_UNSPEC,
      .ai_socktype = SOCK_STREAM,
      .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
  };
  struct addrinfo *found = NULL;
  int rc = getaddrinfo(host, port, &hints, &found);
  if (rc != 0) {
    g_set_error(error, ANNALS_LISTEN_ERROR, ANNALS_LISTEN_ERROR_ADDRESS, "%s: %s", text,
                gai_strerror(rc));
    return false;
  }
  struct annals_listen_address *address = g_new(struct annals_listen_address, 1);
  *address = (struct annals_listen_address){.text = g_strdup(text), .found = found};
  *ret_address = address;
  return true;
}

void annals_listen_address_free(struct annals_listen_address *address) {
  if (address == NULL) {
    return;
  }
  freeaddrinfo(address->found);
  g_free(address->text);
  g_free(address);
}

static bool is_loopback(const struct sockaddr *address) {
  if (address->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, address, sizeof in);
    return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  if (address->sa_family != AF_INET6) {
    return false;
  }
  struct sockaddr_in6 in6;
  memcpy(&in6, address, sizeof in6);
  return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) ||
         (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) && in6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

bool annals_listen_address_is_loopback(const struct annals_listen_address *address) {
  for (const struct addrinfo *at = address->found; at != NULL; at = at->ai_next) {
    if (!is_loopback(at->ai_addr)) {
      return false;
    }
  }
  return true;
}

static char *numeric_text(const struct sockaddr *address, socklen_t size) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  int rc = getnameinfo(address, size, host, sizeof host, port, sizeof port,
                       NI_NUMERICHOST | NI_NUMERICSERV);
  g_assert(rc == 0);
  return g_strdup_printf(strchr(host, ':') == NULL ? "%s:%s" : "[%s]:%s", host, port);
}

char *annals_listen_address_text(const struct annals_listen_address *address) {
  return numeric_text(address->found->ai_addr, address->found->ai_addrlen);
}

/* Returns the socket, or -1 with errno. */
static int open_one(const struct addrinfo *at) {
  int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return -1;
  }
  const int on = 1;
  const int off = 0;
  bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
            (at->ai_family != AF_INET6 ||
             setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) &&
            bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0;
  if (!ok) {
    int why = errno;
    close(fd);
    errno = why;
    return -1;
  }
  return fd;
}

bool annals_listen_open(const struct annals_listen_address *address, int *ret_socket,
                        char **ret_bound, GError **error) {
  int fd = -1;
  int why = 0;
  for (const struct addrinfo *at = address->found; at != NULL && fd < 0; at = at->ai_next) {
    fd = open_one(at);
    why = errno;
  }
  if (fd < 0) {
    g_set_error(error, ANNALS_LISTEN_ERROR, ANNALS_LISTEN_ERROR_SOCKET, "%s: %s", address->text,
                g_strerror(why));
    return false;
  }
  struct sockaddr_storage bound;
  socklen_t size = sizeof bound;
  int rc = getsockname(fd, (struct sockaddr *)&bound, &size);
  g_assert(rc == 0);
  *ret_socket = fd;
  *ret_bound = numeric_text((const struct sockaddr *)&bound, size);
  return true;
}
