/*
 * Failures of the domain: a reason of reason.def, a message, and what programs need of it.
 *
 * Floor 2. They travel as GError with domain ANNALS_ERROR, whose code is the reason; the transports
 * turn them into their own forms. Only failures of this domain reach a transport.
 */
#ifndef ANNALS_SERVER_HISTORY_ERROR_H_
#define ANNALS_SERVER_HISTORY_ERROR_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

enum annals_reason {
#define ANNALS_REASON(reason, grpc, aws, http, retry_ms, meaning) ANNALS_REASON_##reason,
#include "server/history/reason.def"
#undef ANNALS_REASON
  ANNALS_REASON_COUNT, /* how many there are */
};

/* One line of reason.def. */
struct annals_reason_info {
  const char *name;
  int grpc_code;
  const char *aws_name;
  int http_status;
  int retry_ms; /* -1: do not retry; 0: each failure has its own */
  const char *meaning;
};

/* Gives the line of a reason. */
const struct annals_reason_info *annals_reason_info(enum annals_reason reason);

#define ANNALS_ERROR (annals_error_quark())
GQuark annals_error_quark(void);

/* A field of the request that breaks a rule. */
struct annals_violation {
  char *field;      /* path in snake_case: `max_results`, `events[3].id` */
  char *value;      /* as text, NULL: absent or not to be shown */
  char *constraint; /* a sentence without full stop: `Member must not be null` */
};

/* Makes a failure. */
GError *annals_error_new(enum annals_reason reason, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Makes a failure in *error, which may be NULL, and returns false. */
bool annals_error_set(GError **error, enum annals_reason reason, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Adds a variable part for programs, such as expected_event_id. Keys are lower snake_case. */
void annals_error_add_metadata(GError *error, const char *key, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Adds a field at fault. value may be NULL. */
void annals_error_add_violation(GError *error, const char *field, const char *value,
                                const char *constraint);

/* Says when trying again helps, where the reason's retry_ms does not. */
void annals_error_set_retry_ms(GError *error, int retry_ms);

/* Gives how long to wait before trying again; -1: it does not help. */
int annals_error_retry_ms(const GError *error);

/* Says for the log, and for it alone, what happened: it may name files of this machine. */
void annals_error_set_detail(GError *error, const char *detail);

/* Gives what was said for the log, or else the message. Owned by error. */
const char *annals_error_detail(const GError *error);

/* Gives what the log of calls may say: what was said for it, or else the message of a failure that
 * is the server's own, or NULL: other messages may quote the request. Owned by error. */
const char *annals_error_log_detail(const GError *error);

/* Gives the reason; INTERNAL when error is of another domain. */
enum annals_reason annals_error_reason(const GError *error);

/* Gives the metadata: char *, key and value by turns, in the order added. Owned by error. */
const GPtrArray *annals_error_metadata(const GError *error);

/* Gives one value of the metadata, or NULL. */
const char *annals_error_metadata_value(const GError *error, const char *key);

/* Gives the fields at fault: struct annals_violation *, in the order added. Owned by error. */
const GPtrArray *annals_error_violations(const GError *error);

G_END_DECLS

#endif
