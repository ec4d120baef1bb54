#include "server/options.h"

#include <string.h>

enum option_kind { TEXT, NUMBER, SWITCH };

struct option {
  const char *name;
  enum option_kind kind;
  size_t offset; /* of the field in struct annals_options */
  const char *initial;
  const char *argument;
  const char *help;
};

static const struct option options_table[] = {
#define ANNALS_OPTION(field, name, kind, initial, argument, help) \
  {name, kind, offsetof(struct annals_options, field), initial, argument, help},
#include "server/option.def"
#undef ANNALS_OPTION
};

enum { OPTION_COUNT = G_N_ELEMENTS(options_table) };

static const char config_group[] = "annalsd";

/* Others read these. */
static const char *const other_groups[] = {"encryption", "retention", NULL};

static const char summary[] =
    "Keeps the event histories of workflow executions and gives them back: over gRPC, and to AWS\n"
    "clients as Step Functions' GetExecutionHistory, DescribeExecution and ListExecutions.";

static const char description[] =
    "Each option can also be given as an environment variable (ANNALS_DATA_DIR for --data-dir) or\n"
    "in the group [annalsd] of the configuration file (data-dir=…). A flag counts for more than "
    "the\n"
    "environment, and the environment for more than the file. Its group [retention] has periods "
    "for\n"
    "some state machines: ARN=30d or ARN=never, where * in the ARN stands for any characters;\n"
    "[encryption] has keys: ARN=KEY, ARN=KEY SECONDS of reuse of a data key, or ARN=none.\n"
    "\n"
    "When it is ready to serve, annalsd prints one line on standard output:\n"
    "  annalsd ready grpc=HOST:PORT gateway=HOST:PORT ops=HOST:PORT\n"
    "It logs JSON lines on standard error, reads certificates, credentials, page token keys and\n"
    "[retention] again when they have changed and on SIGHUP, and stops on SIGTERM or SIGINT.";

/* What flags gave: a string for each option, NULL where there was none. */
struct flags {
  char *values[OPTION_COUNT];
  gboolean switches[OPTION_COUNT];
  char *config;
};

static void flags_clear(struct flags *flags) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    g_free(flags->values[i]);
  }
  g_free(flags->config);
}

static char *help_of(const struct option *option) {
  return option->kind == SWITCH || *option->initial == '\0'
             ? g_strdup(option->help)
             : g_strdup_printf("%s (%s)", option->help, option->initial);
}

static bool parse_flags(int argc, char **argv, struct flags *flags, GError **error) {
  GOptionEntry entries[OPTION_COUNT + 2] = {0};
  char *texts[OPTION_COUNT];
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    const struct option *option = &options_table[i];
    bool is_switch = option->kind == SWITCH;
    texts[i] = help_of(option);
    entries[i] = (GOptionEntry){
        .long_name = option->name,
        .arg = is_switch ? G_OPTION_ARG_NONE : G_OPTION_ARG_FILENAME,
        .arg_data = is_switch ? (gpointer)&flags->switches[i] : (gpointer)&flags->values[i],
        .description = texts[i],
        .arg_description = option->argument,
    };
  }
  entries[OPTION_COUNT] = (GOptionEntry){
      .long_name = "config",
      .arg = G_OPTION_ARG_FILENAME,
      .arg_data = &flags->config,
      .description = "Read options from an INI file",
      .arg_description = "FILE",
  };
  GOptionContext *context = g_option_context_new(NULL);
  g_option_context_set_summary(context, summary);
  g_option_context_set_description(context, description);
  g_option_context_add_main_entries(context, entries, NULL);
  bool ok = g_option_context_parse(context, &argc, &argv, error);
  g_option_context_free(context);
  if (ok && argc > 1) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "unexpected argument: %s",
                argv[1]);
    ok = false;
  }
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    g_free(texts[i]);
    if (flags->switches[i]) {
      flags->values[i] = g_strdup("true");
    }
  }
  return ok;
}

static bool is_option(const char *name) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (strcmp(options_table[i].name, name) == 0) {
      return true;
    }
  }
  return false;
}

/* A key that is not an option is a mistake that must not pass in silence. */
static bool check_keys(GKeyFile *file, const char *path, GError **error) {
  g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
  for (char **group = groups; *group != NULL; group++) {
    if (strcmp(*group, config_group) != 0 && !g_strv_contains(other_groups, *group)) {
      g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: unknown group [%s]", path,
                  *group);
      return false;
    }
  }
  g_auto(GStrv) keys = g_key_file_get_keys(file, config_group, NULL, NULL);
  for (char **key = keys; key != NULL && *key != NULL; key++) {
    if (!is_option(*key)) {
      g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: unknown option %s", path,
                  *key);
      return false;
    }
  }
  return true;
}

/* Tells what file --config or ANNALS_CONFIG names; "": none. */
static const char *config_path(const struct flags *flags) {
  const char *path = flags->config != NULL ? flags->config : g_getenv("ANNALS_CONFIG");
  return path != NULL ? path : "";
}

static bool load_config(const char *path, GKeyFile *file, GError **error) {
  if (*path == '\0') {
    return true;
  }
  g_autoptr(GError) why = NULL;
  if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &why)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: %s", path, why->message);
    return false;
  }
  return check_keys(file, path, error);
}

static char *environment_name(const struct option *option) {
  g_autofree char *upper = g_ascii_strup(option->name, -1);
  return g_strconcat("ANNALS_", g_strdelimit(upper, "-", '_'), NULL);
}

/* The file's value, or the initial one; NULL where the file has one that cannot be read. */
static char *value_from_file(const struct option *option, GKeyFile *file, GError **error) {
  g_autoptr(GError) why = NULL;
  g_autofree char *value = g_key_file_get_string(file, config_group, option->name, &why);
  if (g_error_matches(why, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND) ||
      g_error_matches(why, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND)) {
    return g_strdup(option->initial);
  }
  if (why != NULL) { /* there may be a value all the same, without its backslashes */
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "%s: the value cannot be read: it is not UTF-8, or a backslash in it does not "
                "begin an escape (\\\\ is a backslash)",
                option->name);
    return NULL;
  }
  return g_steal_pointer(&value);
}

/* Finds the value that counts, and where it came from. Memory: both are the caller's. */
static char *find_value(const struct option *option, const char *flag, GKeyFile *file,
                        char **ret_from, GError **error) {
  if (flag != NULL) {
    *ret_from = g_strconcat("--", option->name, NULL);
    return g_strdup(flag);
  }
  char *name = environment_name(option);
  const char *value = g_getenv(name);
  if (value != NULL) {
    *ret_from = name;
    return g_strdup(value);
  }
  g_free(name);
  *ret_from = g_strdup(option->name);
  return value_from_file(option, file, error);
}

static bool read_switch(const char *text, bool *ret_value) {
  static const char *const on[] = {"true", "1", "yes", NULL};
  static const char *const off[] = {"false", "0", "no", "", NULL};
  *ret_value = g_strv_contains(on, text);
  return *ret_value || g_strv_contains(off, text);
}

static bool set_value(const struct option *option, const char *from, const char *text,
                      struct annals_options *options, GError **error) {
  void *field = (char *)options + option->offset;
  guint64 number = 0;
  bool ok = true;
  switch (option->kind) {
    case TEXT:
      *(char **)field = g_strdup(text);
      break;
    case NUMBER:
      ok = g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT32, &number, NULL);
      *(int64_t *)field = (int64_t)number;
      break;
    case SWITCH:
      ok = read_switch(text, field);
      break;
  }
  if (!ok) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: '%s' is not %s", from, text,
                option->kind == NUMBER ? "a whole number from 0 to 2147483647" : "true or false");
  }
  return ok;
}

bool annals_options_read(int argc, char **argv, struct annals_options *ret_options,
                         GError **error) {
  struct flags flags = {0};
  struct annals_options options = {0};
  g_autoptr(GKeyFile) file = g_key_file_new();
  bool ok = parse_flags(argc, argv, &flags, error) && load_config(config_path(&flags), file, error);
  options.config = g_strdup(config_path(&flags));
  for (size_t i = 0; ok && i < OPTION_COUNT; i++) {
    g_autofree char *from = NULL;
    g_autofree char *text = find_value(&options_table[i], flags.values[i], file, &from, error);
    ok = text != NULL && set_value(&options_table[i], from, text, &options, error);
  }
  flags_clear(&flags);
  if (!ok) {
    annals_options_clear(&options);
    return false;
  }
  *ret_options = options;
  return true;
}

void annals_options_clear(struct annals_options *options) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (options_table[i].kind == TEXT) {
      g_free(*(char **)((char *)options + options_table[i].offset));
    }
  }
  g_free(options->config);
  *options = (struct annals_options){0};
}
