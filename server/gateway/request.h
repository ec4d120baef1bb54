/*
 * The body of a request: a JSON object and its members.
 *
 * Floor 3, private to the gateway. What AWS's framework does with bodies: null stands for absent,
 * unknown members are ignored, whatever number they hold, and numbers may be written as 100.0. Of
 * a repeated member the last counts. Refused: what is not JSON or not an object, invalid UTF-8,
 * \u0000, nesting over 2,048 levels, and more than ANNALS_REQUEST_VALUES_MAX values, which bounds
 * what a body costs in memory (a few megabytes) whatever its length.
 */
#ifndef ANNALS_SERVER_GATEWAY_REQUEST_H_
#define ANNALS_SERVER_GATEWAY_REQUEST_H_

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum { ANNALS_REQUEST_VALUES_MAX = 10000 };

struct annals_request {
  json_t *root; /* owned */
};

/*
 * Reads a body; one of no bytes is read as {}.
 *
 * Memory: the body is not needed afterwards. The caller clears the request.
 * Errors: ANNALS_GATEWAY_ERROR_SERIALIZATION, saying where and what.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_request_parse(struct annals_request *request, const void *body, size_t size,
                          GError **error);

/* Frees what was read. A zeroed request is fine. */
void annals_request_clear(struct annals_request *request);

/*
 * Read a member. Absent: true is returned, and the result stays as it is, which is how defaults are
 * given.
 *
 * Memory: a string dies with the request.
 * Errors: ANNALS_GATEWAY_ERROR_SERIALIZATION, naming the member, when it is of another type or an
 *         integer has decimals or is beyond 32 bits.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_request_string(const struct annals_request *request, const char *member,
                           const char **ret_text, GError **error);
G_GNUC_WARN_UNUSED_RESULT
bool annals_request_integer(const struct annals_request *request, const char *member,
                            int64_t *ret_number, GError **error);
G_GNUC_WARN_UNUSED_RESULT
bool annals_request_boolean(const struct annals_request *request, const char *member,
                            bool *ret_value, GError **error);

G_END_DECLS

#endif
