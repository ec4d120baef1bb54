/*
 * AWS's names for the values of annals.v1's enums.
 *
 * Floor 2. Requests of the domain carry names, so that one check serves both transports: the
 * gateway passes on what it was given, and gRPC the name of a number, or the number as text where
 * it has none.
 */
#ifndef ANNALS_SERVER_HISTORY_ENUM_NAME_H_
#define ANNALS_SERVER_HISTORY_ENUM_NAME_H_

#include <glib.h>

G_BEGIN_DECLS

enum { ANNALS_ENUM_VALUES_MAX = 6 };

/* One enum. Its values have the numbers from 1 on; 0 stands for absent. */
struct annals_enum {
  const char *names[ANNALS_ENUM_VALUES_MAX + 1]; /* by number */
  const char *value_set;                         /* how AWS's errors show the names */
};

extern const struct annals_enum annals_enum_execution_status;
extern const struct annals_enum annals_enum_redrive_filter;
extern const struct annals_enum annals_enum_included_data;

/* Gives the name of a value; NULL for 0 and for numbers that no value has. Static. */
const char *annals_enum_name(const struct annals_enum *values, int number);

/* Gives the number of a name, 0 when no value has it. */
int annals_enum_number(const struct annals_enum *values, const char *name);

G_END_DECLS

#endif
