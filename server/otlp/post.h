/*
 * One HTTP connection to the receiver, over which requests are posted one after another.
 *
 * Floor 1, libcurl's only place here. http and https alone; of https the certificate is checked,
 * against the system's CAs or given ones. Redirects are not followed. A proxy is used where the
 * usual variables (https_proxy, no_proxy) name one.
 */
#ifndef ANNALS_SERVER_OTLP_POST_H_
#define ANNALS_SERVER_OTLP_POST_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum { ANNALS_POST_ANSWER_BYTES_MAX = 64 * 1024 };

struct annals_post;

struct annals_post_options {
  const char *url;
  const char *ca_path; /* NULL: the system's */
  int64_t timeout_us;  /* of one request, with its answer */
  int64_t connect_timeout_us;
};

struct annals_post_answer {
  long status;         /* of HTTP; 0: no answer came */
  int64_t retry_s;     /* Retry-After; 0: not said */
  const char *problem; /* static; why no answer came */
  GByteArray *body;    /* as much of it as ANNALS_POST_ANSWER_BYTES_MAX */
};

/* Copies the options. Errors: G_OPTION_ERROR, when libcurl does not take them. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_post *annals_post_new(const struct annals_post_options *options, GError **error);
/* NULL is fine. */
void annals_post_free(struct annals_post *post);

/*
 * Posts a body and waits for the answer.
 *
 * headers: NAME: VALUE, ended by NULL.
 * Memory: the caller clears the answer. Threads: one.
 */
void annals_post_send(struct annals_post *post, const char *const *headers, const uint8_t *body,
                      size_t size, struct annals_post_answer *ret_answer);
void annals_post_answer_clear(struct annals_post_answer *answer);

/* Has all requests end until deadline_us of the monotonic clock, the one under way among them.
 * Threads: any. */
void annals_post_set_deadline(struct annals_post *post, int64_t deadline_us);

G_END_DECLS

#endif
