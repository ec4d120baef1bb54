/*
 * Timestamps as they stand in AWS JSON. Part of the CLI.
 */
#ifndef ANNALS_CLIENT_AWS_TIME_H_
#define ANNALS_CLIENT_AWS_TIME_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

/* A point in time in the years 1970 to 9999. */
struct annals_time {
  int64_t seconds; /* since 1970-01-01T00:00:00Z */
  int32_t nanos;   /* 0 to 999,999,999 */
};

/*
 * Reads epoch seconds with decimals, as AWS writes them on the wire. They come as a double, which
 * holds what was written exactly to the microsecond until 2106, and to the millisecond after.
 *
 * Errors: returns false outside the years.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_time_from_number(double number, struct annals_time *ret_time);

/*
 * Reads ISO 8601 as the AWS CLI and boto3 print it: 2018-05-02T10:47:55.580000-07:00. The fraction
 * may be absent or have up to 9 digits; the offset is Z, +HH:MM, +HHMM or +HH; a blank may stand in
 * place of T.
 *
 * Errors: returns false for any other form, dates that do not exist, and outside the years.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_time_from_text(const char *text, struct annals_time *ret_time);

/* Writes a time in UTC with milliseconds, 2018-05-02T17:47:55.580Z, and its NUL; cuts the rest. */
enum { ANNALS_TIME_TEXT_SIZE = 25 };
void annals_time_to_text(struct annals_time time, char ret_text[ANNALS_TIME_TEXT_SIZE]);

G_END_DECLS

#endif
