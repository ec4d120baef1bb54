#include "server/gateway/request.h"

#include <math.h>
#include <string.h>

#include "server/gateway/aws_error.h"

/* As short as numbers can be that are too big for a double. */
#define BIG_NUMBER "1e308"

/* How a type is called in a message. */
static const char *const type_names[] = {
    [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
    [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "a boolean",
    [JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
};

static bool fail(GError **error, const char *member, const char *expected, const json_t *found) {
  g_set_error(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_SERIALIZATION,
              "%s: expected %s, found %s", member, expected, type_names[json_typeof(found)]);
  return false;
}

/*
 * Counts what separates values outside of strings. A body of a megabyte of `[],` would cost a
 * hundred as jansson's values.
 */
static size_t count_values(const char *text, size_t size) {
  size_t count = 0;
  bool quoted = false;
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '"') {
      quoted = !quoted;
    } else if (quoted && text[i] == '\\') {
      i++;
    } else if (!quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{')) {
      count++;
    }
  }
  return count;
}

/* --- numbers beyond a double, which jansson refuses wherever they stand --- */

static const char *skip_digits(const char *at, const char *end) {
  while (at < end && g_ascii_isdigit(*at)) {
    at++;
  }
  return at;
}

/* Finds the end of a JSON number without its sign; at itself when there is none. */
static const char *number_end(const char *at, const char *end) {
  const char *whole = skip_digits(at, end);
  if (whole == at || (*at == '0' && whole > at + 1)) {
    return at;
  }
  const char *stop = whole;
  if (stop < end && *stop == '.') {
    const char *decimals = skip_digits(stop + 1, end);
    stop = decimals > stop + 1 ? decimals : stop;
  }
  if (stop < end && (*stop == 'e' || *stop == 'E')) {
    const char *exponent = stop + 1;
    exponent += exponent < end && (*exponent == '+' || *exponent == '-') ? 1 : 0;
    const char *digits = skip_digits(exponent, end);
    stop = digits > exponent ? digits : stop;
  }
  return stop;
}

static bool is_beyond_doubles(const char *number, const char *end) {
  if (end - number < (ptrdiff_t)strlen(BIG_NUMBER)) {
    return false;
  }
  g_autofree char *text = g_strndup(number, (gsize)(end - number));
  return isinf(g_ascii_strtod(text, NULL)) != 0;
}

/*
 * Makes numbers that are too big for a double big ones that are not, of as many bytes: to who asks
 * for them they are too big all the same, and others have nothing to say of them. What is not JSON
 * stays so. Memory: returns NULL when there are none; the caller frees the result with g_free().
 */
static char *tame_numbers(const char *body, size_t size) {
  char *tamed = NULL;
  const char *const end = body + size;
  bool quoted = false;
  for (const char *at = body; at < end; at++) {
    if (quoted && *at == '\\') {
      at++;
    } else if (*at == '"') {
      quoted = !quoted;
    } else if (!quoted && g_ascii_isdigit(*at)) {
      const char *stop = number_end(at, end);
      if (stop < end && is_beyond_doubles(at, stop)) {
        tamed = tamed == NULL ? g_memdup2(body, size) : tamed;
        memset(tamed + (at - body), ' ', (size_t)(stop - at));
        memcpy(tamed + (at - body), BIG_NUMBER, strlen(BIG_NUMBER));
      }
      at = MAX(skip_digits(at, end), stop) - 1; /* also where they are no number */
    }
  }
  return tamed;
}

bool annals_request_parse(struct annals_request *request, const void *body, size_t size,
                          GError **error) {
  if (size == 0) {
    body = "{}";
    size = 2;
  }
  if (count_values(body, size) > ANNALS_REQUEST_VALUES_MAX) {
    g_set_error(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_SERIALIZATION,
                "the body has more than %d values", ANNALS_REQUEST_VALUES_MAX);
    return false;
  }
  /* Integers as doubles: one beyond 64 bits is then no error where nobody asks for it. */
  g_autofree char *tamed = tame_numbers(body, size);
  json_error_t where;
  json_t *root = json_loadb(tamed != NULL ? tamed : body, size,
                            JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &where);
  if (root == NULL) {
    g_set_error(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_SERIALIZATION,
                "line %d, column %d: %s", where.line, where.column, where.text);
    return false;
  }
  if (!json_is_object(root)) {
    bool ok = fail(error, "body", "an object", root);
    json_decref(root);
    return ok;
  }
  request->root = root;
  return true;
}

void annals_request_clear(struct annals_request *request) {
  json_decref(request->root);
  request->root = NULL;
}

/* Gives a member, or NULL when it is absent. */
static const json_t *member_of(const struct annals_request *request, const char *member) {
  const json_t *value = json_object_get(request->root, member);
  return json_is_null(value) ? NULL : value;
}

bool annals_request_string(const struct annals_request *request, const char *member,
                           const char **ret_text, GError **error) {
  const json_t *value = member_of(request, member);
  if (value == NULL) {
    return true;
  }
  if (!json_is_string(value)) {
    return fail(error, member, "a string", value);
  }
  *ret_text = json_string_value(value);
  return true;
}

bool annals_request_integer(const struct annals_request *request, const char *member,
                            int64_t *ret_number, GError **error) {
  const json_t *value = member_of(request, member);
  if (value == NULL) {
    return true;
  }
  if (!json_is_real(value)) {
    return fail(error, member, "an integer", value);
  }
  double number = json_real_value(value);
  if (!(number >= INT32_MIN && number <= INT32_MAX)) {
    g_set_error(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_SERIALIZATION,
                "%s: expected an integer of 32 bits", member);
    return false;
  }
  int64_t integer = (int64_t)number;
  if ((double)integer != number) {
    g_set_error(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_SERIALIZATION,
                "%s: expected an integer, found one with decimals", member);
    return false;
  }
  *ret_number = integer;
  return true;
}

bool annals_request_boolean(const struct annals_request *request, const char *member,
                            bool *ret_value, GError **error) {
  const json_t *value = member_of(request, member);
  if (value == NULL) {
    return true;
  }
  if (!json_is_boolean(value)) {
    return fail(error, member, "a boolean", value);
  }
  *ret_value = json_is_true(value);
  return true;
}
