/*
 * Logs: one JSON object per line on standard error.
 *
 *   {"time":"2026-11-22T08:00:00.123Z","level":"info","message":"call failed","reason":"…"}
 *
 * Floor 1. On top of GLib's structured logs, so that what GLib and libraries on it have to say
 * comes out in the same form ("domain" tells which). `time` is UTC. Fields follow the message in
 * the order given; their names are lower snake_case and carry the unit. Payloads of events and
 * bodies of requests never go into a log.
 *
 *   annals_log_info("call failed", ANNALS_LOG_TEXT("reason", name),
 *                   ANNALS_LOG_NUMBER("duration_us", duration_us));
 *
 * Threads: all but annals_log_start may be called from any thread. A line is one write(2), so
 * lines do not mix.
 */
#ifndef ANNALS_SERVER_OPS_LOG_H_
#define ANNALS_SERVER_OPS_LOG_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum annals_log_level {
  ANNALS_LOG_DEBUG,
  ANNALS_LOG_INFO,
  ANNALS_LOG_WARNING,
  ANNALS_LOG_ERROR,
};

enum {
  ANNALS_LOG_FIELDS_MAX = 16,
  ANNALS_LOG_TEXT_BYTES_MAX = 1024, /* the rest of a text is cut off */
  ANNALS_LOG_LINE_BYTES_MAX = 256 * 1024,
};

/* One field: text, or a number when is_number. */
struct annals_log_field {
  const char *key;
  const char *text; /* NULL: the field is left out. Bytes that are not UTF-8 come out as U+FFFD */
  int64_t number;
  bool is_number;
};

#define ANNALS_LOG_TEXT(field_key, field_text) \
  { .key = (field_key), .text = (field_text) }
#define ANNALS_LOG_NUMBER(field_key, field_number) \
  { .key = (field_key), .number = (field_number), .is_number = true }

/*
 * Logs a message with ANNALS_LOG_TEXT and ANNALS_LOG_NUMBER fields, at least one and at most
 * ANNALS_LOG_FIELDS_MAX.
 */
#define annals_log_debug(...) ANNALS_LOG_AT(ANNALS_LOG_DEBUG, __VA_ARGS__)
#define annals_log_info(...) ANNALS_LOG_AT(ANNALS_LOG_INFO, __VA_ARGS__)
#define annals_log_warning(...) ANNALS_LOG_AT(ANNALS_LOG_WARNING, __VA_ARGS__)
#define annals_log_error(...) ANNALS_LOG_AT(ANNALS_LOG_ERROR, __VA_ARGS__)

#define ANNALS_LOG_AT(level, message, ...)                            \
  annals_log_write(                                                   \
      level, message, (const struct annals_log_field[]){__VA_ARGS__}, \
      sizeof((const struct annals_log_field[]){__VA_ARGS__}) / sizeof(struct annals_log_field))

/* Logs a message with fields, perhaps none. What the macros call. */
void annals_log_write(enum annals_log_level level, const char *message,
                      const struct annals_log_field *fields, size_t field_count);

/*
 * Makes logs come out as described, from level on upwards. To be called once, first thing in main;
 * before, GLib writes them in its own form.
 */
void annals_log_start(enum annals_log_level level);

/* Changes the level. */
void annals_log_set_level(enum annals_log_level level);

/* Reads `debug`, `info`, `warning` or `error`. Returns false for anything else. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_log_level_parse(const char *text, enum annals_log_level *ret_level);

G_END_DECLS

#endif
