/*
 * The options of annalsd, from flags, environment and configuration file, in this order of
 * precedence.
 *
 * Floor 4. The table is option.def. What the file has beside the options is not read here
 * (retention_config.h, encryption_config.h).
 */
#ifndef ANNALS_SERVER_OPTIONS_H_
#define ANNALS_SERVER_OPTIONS_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_options {
#define ANNALS_OPTION_TEXT char *
#define ANNALS_OPTION_NUMBER int64_t
#define ANNALS_OPTION_SWITCH bool
#define ANNALS_OPTION(field, name, kind, initial, argument, help) ANNALS_OPTION_##kind field;
#include "server/option.def"
#undef ANNALS_OPTION
#undef ANNALS_OPTION_TEXT
#undef ANNALS_OPTION_NUMBER
#undef ANNALS_OPTION_SWITCH
  char *config; /* the configuration file; "": none */
};

/*
 * Reads the options. --help prints and exits, as is usual.
 *
 * Memory: the caller clears the options.
 * Errors: G_OPTION_ERROR, one line naming the option and where it was given.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_options_read(int argc, char **argv, struct annals_options *ret_options, GError **error);

void annals_options_clear(struct annals_options *options);

G_END_DECLS

#endif
