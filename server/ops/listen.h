/*
 * Where a server listens: HOST:PORT as text, and the socket.
 *
 * Floor 1. HOST is an IPv4 address, an IPv6 address in brackets, or a name; all addresses of a name
 * are kept, in the resolver's order. Port 0 stands for a free one. What is said of loopback holds
 * for the addresses found then: who opens the socket elsewhere should pass on the address as
 * annals_listen_address_text has it, not the name.
 */
#ifndef ANNALS_SERVER_OPS_LISTEN_H_
#define ANNALS_SERVER_OPS_LISTEN_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define ANNALS_LISTEN_ERROR (annals_listen_error_quark())
GQuark annals_listen_error_quark(void);

enum annals_listen_error {
  ANNALS_LISTEN_ERROR_ADDRESS, /* the text is not HOST:PORT, or the name is not known */
  ANNALS_LISTEN_ERROR_SOCKET,  /* the socket cannot be opened there */
};

struct annals_listen_address;

/*
 * Reads HOST:PORT, looking a name up.
 *
 * Memory: the caller frees the address.
 * Errors: ANNALS_LISTEN_ERROR_ADDRESS, one line that begins with text.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_listen_address_parse(const char *text, struct annals_listen_address **ret_address,
                                 GError **error);
void annals_listen_address_free(struct annals_listen_address *address);

/* Tells whether nobody outside of this machine can connect: every address is a loopback one. */
bool annals_listen_address_is_loopback(const struct annals_listen_address *address);

/* Gives the first address as numbers, `127.0.0.1:8083` or `[::1]:8083`; the caller frees it. */
char *annals_listen_address_text(const struct annals_listen_address *address);

/*
 * Opens a listening TCP socket on the first of the addresses that can be had. It is closed on exec,
 * does not block, and shares its port with nobody; an IPv6 wildcard takes IPv4 connections too.
 *
 * Memory: the caller closes ret_socket, and frees ret_bound: where it listens as numbers, with the
 *         port found in place of 0.
 * Errors: ANNALS_LISTEN_ERROR_SOCKET: `127.0.0.1:8083: Address already in use`.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_listen_open(const struct annals_listen_address *address, int *ret_socket,
                        char **ret_bound, GError **error);

G_END_DECLS

#endif
