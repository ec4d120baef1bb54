/*
 * HTTP for the key service: a thread with libcurl, on which exchanges are made and all that belongs
 * to them happens.
 *
 * Floor 1, libcurl's only place in server/kms. Many exchanges go on at once, over a bounded number
 * of connections, which are kept; more wait for one. https checks the server's certificate.
 * Redirects are not followed. What an answer held is wiped: here, in libcurl's buffer and in
 * OpenSSL's.
 */
#ifndef ANNALS_SERVER_KMS_EXCHANGE_H_
#define ANNALS_SERVER_KMS_EXCHANGE_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum {
  ANNALS_EXCHANGE_ANSWER_BYTES_MAX = 64 * 1024,
  ANNALS_EXCHANGE_PROBLEM_BYTES = 256, /* CURL_ERROR_SIZE */
};

struct annals_exchanges;

/* One request and its answer. The caller fills the first part, zeroes the second, and keeps it
 * until on_done, and the body; what else it points to, until annals_exchanges_begin has returned.
 */
struct annals_exchange {
  const char *url;
  const char *const *headers; /* NAME: VALUE, ended by NULL */
  const char *body;           /* text to post; NULL: GET */
  const char *sign;           /* libcurl's aws:amz:REGION:SERVICE; NULL: unsigned */
  const char *sign_id;        /* the access key, unless unsigned */
  const char *sign_secret;
  bool is_direct; /* no proxy is used */
  int64_t timeout_us;
  void (*on_done)(struct annals_exchange *exchange); /* on the thread */
  void *user;

  long status;  /* of HTTP; 0: no whole answer came */
  char *answer; /* text, ended by a NUL: wiped after on_done, which may change it */
  size_t answer_bytes;
  char problem[ANNALS_EXCHANGE_PROBLEM_BYTES]; /* why no answer came */

  void *handle;       /* libcurl's, as the next */
  void *handle_lines; /* headers */
  bool is_too_long;
};

/*
 * Starts the thread.
 *
 * ca_path: certificates of those that are trusted, PEM; NULL: the system's. connections_max: to one
 * host, and in all.
 * Errors: G_FILE_ERROR: no thread or no libcurl is to be had.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_exchanges *annals_exchanges_new(const char *ca_path, long connections_max,
                                              GError **error);

/* Ends what is under way, as without an answer, and all that begins from now on; what waits is run
 * at once. Threads: any. */
void annals_exchanges_end(struct annals_exchanges *exchanges);

/* The same, and ends the thread. The caller sees to it that nothing begins anew. NULL is fine. */
void annals_exchanges_free(struct annals_exchanges *exchanges);

/* Has run called on the thread. Threads: any. */
void annals_exchanges_run(struct annals_exchanges *exchanges, void (*run)(void *context),
                          void *context);

/* The same after a time. On the thread. */
void annals_exchanges_run_later(struct annals_exchanges *exchanges, int64_t delay_us,
                                void (*run)(void *context), void *context);

/* Begins an exchange. On the thread. on_done is called later, not before this has returned. */
void annals_exchanges_begin(struct annals_exchanges *exchanges, struct annals_exchange *exchange);

/* Tells whether annals_exchanges_end has been called: what fails is not to be tried again. On the
 * thread. */
bool annals_exchanges_are_ending(struct annals_exchanges *exchanges);

G_END_DECLS

#endif
