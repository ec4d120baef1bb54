/*
 * What the C client says of a call that failed. annals.h includes this.
 */
#ifndef ANNALS_CLIENT_ANNALS_ERROR_H_
#define ANNALS_CLIENT_ANNALS_ERROR_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Codes of errors: gRPC's status codes. */
enum annals_client_code {
  ANNALS_CLIENT_CANCELLED = 1,
  ANNALS_CLIENT_UNKNOWN = 2,
  ANNALS_CLIENT_INVALID_ARGUMENT = 3,
  ANNALS_CLIENT_DEADLINE_EXCEEDED = 4,
  ANNALS_CLIENT_NOT_FOUND = 5,
  ANNALS_CLIENT_ALREADY_EXISTS = 6,
  ANNALS_CLIENT_PERMISSION_DENIED = 7,
  ANNALS_CLIENT_RESOURCE_EXHAUSTED = 8,
  ANNALS_CLIENT_FAILED_PRECONDITION = 9,
  ANNALS_CLIENT_ABORTED = 10,
  ANNALS_CLIENT_OUT_OF_RANGE = 11,
  ANNALS_CLIENT_UNIMPLEMENTED = 12,
  ANNALS_CLIENT_INTERNAL = 13,
  ANNALS_CLIENT_UNAVAILABLE = 14,
  ANNALS_CLIENT_DATA_LOSS = 15,
  ANNALS_CLIENT_UNAUTHENTICATED = 16,
};

#define ANNALS_CLIENT_ERROR (annals_client_error_quark())
GQuark annals_client_error_quark(void);

/*
 * Gives the reason of a failed call, such as EXECUTION_DOES_NOT_EXIST; "" when the failure did not
 * come from the server's code (nobody listens, the deadline passed) or error is of another domain.
 *
 * Memory: belongs to error, like the results of the next one.
 */
const char *annals_client_error_reason(const GError *error);

/*
 * Gives a variable part of the message, such as expected_event_id of EVENT_GAP and EVENT_CONFLICT
 * or event_index of INVALID_EVENT; NULL when the error has none of that name.
 */
const char *annals_client_error_metadata(const GError *error, const char *name);

/*
 * Tells whether the same call may succeed when it is repeated: the server asked for that, was not
 * reached or went away (UNAVAILABLE). The call may have been carried out all the same; repeating
 * reads and appends is always safe.
 *
 * Shape: *ret_delay_ms is how long the server asks to wait first, 0 when it does not say.
 */
bool annals_client_error_is_retriable(const GError *error, int64_t *ret_delay_ms);

/* Names a code as gRPC does, such as "NOT_FOUND"; "UNKNOWN" for numbers that are none. */
const char *annals_client_code_name(int code);

G_END_DECLS

#endif
