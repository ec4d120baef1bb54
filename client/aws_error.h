/*
 * What can be wrong with a file of AWS JSON. Part of the CLI.
 */
#ifndef ANNALS_CLIENT_AWS_ERROR_H_
#define ANNALS_CLIENT_AWS_ERROR_H_

#include <glib.h>

G_BEGIN_DECLS

enum annals_aws_error {
  ANNALS_AWS_ERROR_UNREADABLE, /* the file cannot be read */
  ANNALS_AWS_ERROR_FILE,       /* it is not JSON, or not a history */
  ANNALS_AWS_ERROR_EVENT,      /* an event has a member or value that it cannot have */
  ANNALS_AWS_ERROR_LIMIT,      /* an event or member is too long */
  ANNALS_AWS_ERROR_CONFLICT,   /* two different events have the same id */
  ANNALS_AWS_ERROR_GAP,        /* events are missing between two others */
  ANNALS_AWS_ERROR_NAME,       /* the file's name cannot become an execution's */
};

#define ANNALS_AWS_ERROR (annals_aws_error_quark())
GQuark annals_aws_error_quark(void);

/* Names a code; where the server has a reason for the same fault, by that. */
const char *annals_aws_error_reason(int code);

G_END_DECLS

#endif
