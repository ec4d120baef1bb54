/*
 * The files of a client's TLS, read and checked. Private to the library.
 *
 * gRPC says of files that it cannot use no more than that there is no connection.
 */
#ifndef ANNALS_CLIENT_TLS_FILES_H_
#define ANNALS_CLIENT_TLS_FILES_H_

#include "client/annals.h"

G_BEGIN_DECLS

/* PEM texts; NULL where there is no file. Zero it before use. */
struct annals_client_tls_files {
  char *ca;
  char *cert;
  char *key;
};

/*
 * Reads the files that the options name. Memory: the caller clears ret_files, also on failure.
 * Errors: INVALID_ARGUMENT, naming the file: it cannot be read, is not what it should be, or the
 * key is not the certificate's.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_tls_files_read(const struct annals_client_options *options,
                                  struct annals_client_tls_files *ret_files, GError **error);

/* Frees, and wipes the key. */
void annals_client_tls_files_clear(struct annals_client_tls_files *files);

G_END_DECLS

#endif
