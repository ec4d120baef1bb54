#include "server/history/arn.h"

#include <string.h>

#include "server/history/error.h"

enum {
  PART_ARN,
  PART_PARTITION,
  PART_SERVICE,
  PART_REGION,
  PART_ACCOUNT,
  PART_TYPE,
  PART_MACHINE,
  PART_NAME,
  PARTS_MAX,
  ACCOUNT_DIGITS = 12,
};

/* An ARN cut at its colons, in place: every call checks one. */
struct parts {
  char text[ANNALS_MAP_RUN_ARN_BYTES_MAX + 1];
  char *at[PARTS_MAX];
  guint count; /* may be more than are in at */
};

G_GNUC_PRINTF(2, 3)
static bool invalid(GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  return annals_error_set(error, ANNALS_REASON_INVALID_ARN, "%s", text);
}

/* us-gov-west-1 and the like. */
static bool is_word(const char *text) {
  size_t size = strlen(text);
  return size > 0 && text[0] != '-' && text[size - 1] != '-' &&
         strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

static bool is_account(const char *text) {
  return strlen(text) == ACCOUNT_DIGITS && strspn(text, "0123456789") == ACCOUNT_DIGITS;
}

static bool is_name_char(gunichar c) {
  if (c < 0x80) {
    return c > ' ' && c != 0x7f && strchr("<>{}[]?*\"#%\\^|~`$&,;:/", (int)c) == NULL;
  }
  return c > 0x9f && (c & 0xfffe) != 0xfffe && !g_unichar_isspace(c);
}

/* what: "execution name" and the like. */
static bool check_name(const char *name, const char *what, GError **error) {
  glong chars = g_utf8_strlen(name, -1);
  if (chars < 1 || chars > ANNALS_NAME_CHARS_MAX) {
    return invalid(error, "The %s must have 1 to %d characters, it has %ld", what,
                   ANNALS_NAME_CHARS_MAX, chars);
  }
  for (const char *c = name; *c != '\0'; c = g_utf8_next_char(c)) {
    if (!is_name_char(g_utf8_get_char(c))) {
      return invalid(error, "The %s has a character that is not allowed in names: '%s'", what,
                     name);
    }
  }
  return true;
}

/* Cuts text at its slash. */
static bool check_machine(char *text, GError **error) {
  char *slash = strchr(text, '/');
  if (slash != NULL) {
    *slash = '\0';
  }
  return check_name(text, "state machine name", error) &&
         (slash == NULL || check_name(slash + 1, "map state label", error));
}

/* Everything before the resource: arn:PARTITION:states:REGION:ACCOUNT:TYPE. */
static bool check_head(const struct parts *parts, const char *type, GError **error) {
  if (parts->count <= PART_TYPE) {
    return invalid(error, "Too few parts: arn:aws:states:REGION:ACCOUNT:%s:… is expected", type);
  }
  if (strcmp(parts->at[PART_PARTITION], "aws") != 0 &&
      (!g_str_has_prefix(parts->at[PART_PARTITION], "aws-") ||
       !is_word(parts->at[PART_PARTITION]))) {
    return invalid(error, "Invalid partition: '%s'", parts->at[PART_PARTITION]);
  }
  if (strcmp(parts->at[PART_SERVICE], "states") != 0) {
    return invalid(error, "Invalid service: '%s', 'states' is expected", parts->at[PART_SERVICE]);
  }
  if (!is_word(parts->at[PART_REGION])) {
    return invalid(error, "Invalid region: '%s'", parts->at[PART_REGION]);
  }
  if (!is_account(parts->at[PART_ACCOUNT])) {
    return invalid(error, "Invalid account: '%s', %d digits are expected", parts->at[PART_ACCOUNT],
                   ACCOUNT_DIGITS);
  }
  if (strcmp(parts->at[PART_TYPE], type) != 0) {
    return invalid(error, "Resource type not valid in this context: %s", parts->at[PART_TYPE]);
  }
  return true;
}

static void cut(const char *arn, size_t size, struct parts *parts) {
  memcpy(parts->text, arn, size + 1);
  parts->count = 0;
  for (char *at = parts->text, *colon; at != NULL; at = colon) {
    colon = strchr(at, ':');
    if (colon != NULL) {
      *colon++ = '\0';
    }
    if (parts->count < PARTS_MAX) {
      parts->at[parts->count] = at;
    }
    parts->count++;
  }
}

/* Splits and checks all but the resource. */
static bool split(const char *arn, size_t bytes_max, const char *type, struct parts *parts,
                  GError **error) {
  size_t size = strlen(arn);
  if (size > bytes_max) {
    return invalid(error, "The ARN is longer than %zu bytes", bytes_max);
  }
  if (!g_utf8_validate_len(arn, size, NULL)) {
    return invalid(error, "The ARN is not valid UTF-8");
  }
  if (!g_str_has_prefix(arn, "arn:")) {
    return invalid(error, "Invalid ARN prefix: %s", arn);
  }
  cut(arn, size, parts);
  return check_head(parts, type, error);
}

bool annals_execution_arn_check(const char *arn, GError **error) {
  struct parts parts;
  if (!split(arn, ANNALS_ARN_BYTES_MAX, "execution", &parts, error)) {
    return false;
  }
  if (parts.count != PARTS_MAX) {
    return invalid(error, "An execution is named by execution:STATE_MACHINE:NAME");
  }
  return check_machine(parts.at[PART_MACHINE], error) &&
         check_name(parts.at[PART_NAME], "execution name", error);
}

/* parts_min and parts_max say whether a version or alias may or must be named. */
static bool check_state_machine(const char *arn, guint parts_min, guint parts_max,
                                const char *shape, GError **error) {
  struct parts parts;
  if (!split(arn, ANNALS_ARN_BYTES_MAX, "stateMachine", &parts, error)) {
    return false;
  }
  guint count = parts.count;
  if (count < parts_min || count > parts_max) {
    return invalid(error, "%s", shape);
  }
  return check_machine(parts.at[PART_MACHINE], error) &&
         (count <= PART_NAME || check_name(parts.at[PART_NAME], "version or alias", error));
}

bool annals_state_machine_arn_check(const char *arn, GError **error) {
  return check_state_machine(arn, PART_NAME, PART_NAME,
                             "A state machine is named by stateMachine:NAME", error);
}

bool annals_qualified_state_machine_arn_check(const char *arn, GError **error) {
  return check_state_machine(arn, PARTS_MAX, PARTS_MAX,
                             "A version or alias is named by stateMachine:NAME:VERSION_OR_ALIAS",
                             error);
}

bool annals_any_state_machine_arn_check(const char *arn, GError **error) {
  return check_state_machine(
      arn, PART_NAME, PARTS_MAX,
      "A state machine is named by stateMachine:NAME or stateMachine:NAME:VERSION_OR_ALIAS", error);
}

bool annals_map_run_arn_check(const char *arn, GError **error) {
  struct parts parts;
  if (!split(arn, ANNALS_MAP_RUN_ARN_BYTES_MAX, "mapRun", &parts, error)) {
    return false;
  }
  if (parts.count != PARTS_MAX || strchr(parts.at[PART_MACHINE], '/') == NULL) {
    return invalid(error, "A map run is named by mapRun:STATE_MACHINE/LABEL:NAME");
  }
  return check_machine(parts.at[PART_MACHINE], error) &&
         check_name(parts.at[PART_NAME], "map run name", error);
}

bool annals_map_run_arn_is_of(const char *map_run_arn, const char *execution_arn) {
  g_auto(GStrv) run = g_strsplit(map_run_arn, ":", -1);
  g_auto(GStrv) execution = g_strsplit(execution_arn, ":", -1);
  if (g_strv_length(run) != PARTS_MAX || g_strv_length(execution) != PARTS_MAX) {
    return false;
  }
  run[PART_MACHINE][strcspn(run[PART_MACHINE], "/")] = '\0';
  execution[PART_MACHINE][strcspn(execution[PART_MACHINE], "/")] = '\0';
  for (int part = PART_PARTITION; part <= PART_MACHINE; part++) {
    if (part != PART_TYPE && strcmp(run[part], execution[part]) != 0) {
      return false;
    }
  }
  return true;
}

/* Every append asks for it: no splitting. */
char *annals_execution_arn_state_machine(const char *arn) {
  const char *type = arn;
  for (int part = 0; part < PART_TYPE; part++) {
    type = strchr(type, ':') + 1;
  }
  const char *machine = strchr(type, ':') + 1;
  const char *end = strchr(machine, ':');
  return g_strdup_printf("%.*sstateMachine:%.*s", (int)(type - arn), arn, (int)(end - machine),
                         machine);
}

const char *annals_execution_arn_name(const char *arn) {
  return strrchr(arn, ':') + 1;
}
