#include "client/aws_time.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
  DAY_S = 86400,
  JULIAN_1970 = 719163, /* GDate counts from 0001-01-01, which is 1 */
  NANOS_DIGITS = 9,
};

static const int64_t seconds_max = 253402300799; /* 9999-12-31T23:59:59Z */

static bool in_range(int64_t seconds) {
  return seconds >= 0 && seconds <= seconds_max;
}

bool annals_time_from_number(double number, struct annals_time *ret_time) {
  /* Up to here a double's neighbours are less than half a microsecond apart. */
  static const double micros_until = 4294967296.0;
  if (!(number >= 0 && number < (double)seconds_max + 1)) {
    return false;
  }
  int64_t per_second = number < micros_until ? 1000000 : 1000;
  int64_t units = llround(number * (double)per_second);
  struct annals_time time = {
      .seconds = units / per_second,
      .nanos = (int32_t)(units % per_second * (1000000000 / per_second)),
  };
  if (!in_range(time.seconds)) {
    return false;
  }
  *ret_time = time;
  return true;
}

/* Takes exactly count digits. */
static bool take_digits(const char **at, int count, int *ret_value) {
  int value = 0;
  for (int i = 0; i < count; i++) {
    if (!g_ascii_isdigit((*at)[i])) {
      return false;
    }
    value = value * 10 + ((*at)[i] - '0');
  }
  *at += count;
  *ret_value = value;
  return true;
}

static bool take_char(const char **at, const char *any_of) {
  if (**at == '\0' || strchr(any_of, **at) == NULL) {
    return false;
  }
  (*at)++;
  return true;
}

static bool take_date(const char **at, int64_t *ret_days) {
  int year;
  int month;
  int day;
  if (!take_digits(at, 4, &year) || !take_char(at, "-") || !take_digits(at, 2, &month) ||
      !take_char(at, "-") || !take_digits(at, 2, &day) || month > 12 || day > 31 ||
      !g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year)) {
    return false;
  }
  GDate date;
  g_date_clear(&date, 1);
  g_date_set_dmy(&date, (GDateDay)day, (GDateMonth)month, (GDateYear)year);
  *ret_days = (int64_t)g_date_get_julian(&date) - JULIAN_1970;
  return true;
}

static bool take_clock(const char **at, int64_t *ret_seconds) {
  int hours;
  int minutes;
  int seconds;
  if (!take_digits(at, 2, &hours) || !take_char(at, ":") || !take_digits(at, 2, &minutes) ||
      !take_char(at, ":") || !take_digits(at, 2, &seconds) || hours > 23 || minutes > 59 ||
      seconds > 59) {
    return false;
  }
  *ret_seconds = hours * 3600 + minutes * 60 + seconds;
  return true;
}

static bool take_fraction(const char **at, int32_t *ret_nanos) {
  *ret_nanos = 0;
  if (!take_char(at, ".")) {
    return true;
  }
  int digits = 0;
  for (; g_ascii_isdigit(**at); (*at)++, digits++) {
    if (digits == NANOS_DIGITS) {
      return false;
    }
    *ret_nanos = *ret_nanos * 10 + (**at - '0');
  }
  for (int i = digits; i < NANOS_DIGITS; i++) {
    *ret_nanos *= 10;
  }
  return digits > 0;
}

static bool take_offset(const char **at, int64_t *ret_seconds) {
  *ret_seconds = 0;
  if (take_char(at, "Zz")) {
    return true;
  }
  int sign = **at == '-' ? -1 : 1;
  int hours;
  int minutes = 0;
  if (!take_char(at, "+-") || !take_digits(at, 2, &hours)) {
    return false;
  }
  if ((take_char(at, ":") || **at != '\0') && !take_digits(at, 2, &minutes)) {
    return false;
  }
  if (hours > 23 || minutes > 59) {
    return false;
  }
  *ret_seconds = (int64_t)sign * (hours * 3600 + minutes * 60);
  return true;
}

bool annals_time_from_text(const char *text, struct annals_time *ret_time) {
  int64_t days;
  int64_t clock;
  int32_t nanos;
  int64_t offset;
  if (!take_date(&text, &days) || !take_char(&text, "Tt ") || !take_clock(&text, &clock) ||
      !take_fraction(&text, &nanos) || !take_offset(&text, &offset) || *text != '\0') {
    return false;
  }
  int64_t seconds = days * DAY_S + clock - offset;
  if (!in_range(seconds)) {
    return false;
  }
  *ret_time = (struct annals_time){.seconds = seconds, .nanos = nanos};
  return true;
}

void annals_time_to_text(struct annals_time time, char ret_text[ANNALS_TIME_TEXT_SIZE]) {
  int64_t seconds = CLAMP(time.seconds, 0, seconds_max);
  int clock = (int)(seconds % DAY_S);
  GDate date;
  g_date_clear(&date, 1);
  g_date_set_julian(&date, (guint32)(seconds / DAY_S + JULIAN_1970));
  snprintf(ret_text, ANNALS_TIME_TEXT_SIZE, "%04u-%02u-%02uT%02d:%02d:%02d.%03dZ",
           (unsigned)g_date_get_year(&date) % 10000, (unsigned)g_date_get_month(&date) % 100,
           (unsigned)g_date_get_day(&date) % 100, clock / 3600, clock / 60 % 60, clock % 60,
           (int)((unsigned)time.nanos / 1000000 % 1000));
}
