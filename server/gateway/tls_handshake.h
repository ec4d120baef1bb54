/*
 * The certificate that the gateway shows at a handshake: the one that counts at that moment.
 *
 * Floor 3, private to the gateway, which is on libmicrohttpd and with it on GnuTLS. Each handshake
 * reads the PEM text: that costs a small part of what the handshake itself does, and needs no
 * state.
 */
#ifndef ANNALS_SERVER_GATEWAY_TLS_HANDSHAKE_H_
#define ANNALS_SERVER_GATEWAY_TLS_HANDSHAKE_H_

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdbool.h>

#include "server/ops/tls.h"

G_BEGIN_DECLS

/* The versions of TLS, as GnuTLS writes it: 1.2 and later. */
#define ANNALS_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/*
 * Tells whether GnuTLS can read what counts now, which OpenSSL has read already.
 * Errors: ANNALS_TLS_ERROR.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_tls_handshake_check(struct annals_tls *tls, GError **error);

/* Has the handshake of a new connection use tls, which must outlive it. */
void annals_tls_handshake_begin(struct MHD_Connection *connection, struct annals_tls *tls);

/* MHD_OPTION_HTTPS_CERT_CALLBACK2: gives certificate and key to GnuTLS, which frees them. */
int annals_tls_handshake_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                                  gnutls_pcert_st **ret_certs, unsigned *ret_cert_count,
                                  gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                                  gnutls_privkey_t *ret_key, unsigned *ret_flags);

G_END_DECLS

#endif
