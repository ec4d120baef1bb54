#include "server/history/error.h"

#include <string.h>

static const struct annals_reason_info reasons[] = {
#define ANNALS_REASON(reason, grpc, aws, http, retry_ms, meaning) \
  {#reason, grpc, aws, http, retry_ms, meaning},
#include "server/history/reason.def"
#undef ANNALS_REASON
};

const struct annals_reason_info *annals_reason_info(enum annals_reason reason) {
  g_assert((size_t)reason < G_N_ELEMENTS(reasons));
  return &reasons[reason];
}

/* What an annals error carries beside its message. */
typedef struct {
  GPtrArray *metadata;
  GPtrArray *violations;
  char *detail;
  int retry_ms; /* 0: the reason's */
} AnnalsErrorPrivate;

static void violation_free(gpointer data) {
  struct annals_violation *violation = data;
  g_free(violation->field);
  g_free(violation->value);
  g_free(violation->constraint);
  g_free(violation);
}

static void annals_error_private_init(AnnalsErrorPrivate *private) {
  private->metadata = g_ptr_array_new_with_free_func(g_free);
  private->violations = g_ptr_array_new_with_free_func(violation_free);
  private->detail = NULL;
  private->retry_ms = 0;
}

static void add_violation(AnnalsErrorPrivate *private, const char *field, const char *value,
                          const char *constraint) {
  struct annals_violation *violation = g_new(struct annals_violation, 1);
  violation->field = g_strdup(field);
  violation->value = g_strdup(value);
  violation->constraint = g_strdup(constraint);
  g_ptr_array_add(private->violations, violation);
}

static void annals_error_private_copy(const AnnalsErrorPrivate *from, AnnalsErrorPrivate *to) {
  annals_error_private_init(to);
  for (guint i = 0; i < from->metadata->len; i++) {
    g_ptr_array_add(to->metadata, g_strdup(from->metadata->pdata[i]));
  }
  for (guint i = 0; i < from->violations->len; i++) {
    const struct annals_violation *violation = from->violations->pdata[i];
    add_violation(to, violation->field, violation->value, violation->constraint);
  }
  to->detail = g_strdup(from->detail);
  to->retry_ms = from->retry_ms;
}

static void annals_error_private_clear(AnnalsErrorPrivate *private) {
  g_ptr_array_unref(private->metadata);
  g_ptr_array_unref(private->violations);
  g_free(private->detail);
}

G_DEFINE_EXTENDED_ERROR(AnnalsError, annals_error)

/* Before there are threads: the first use is not safe on two of them. */
__attribute__((constructor)) static void register_domain(void) {
  (void)annals_error_quark();
}

GError *annals_error_new(enum annals_reason reason, const char *format, ...) {
  va_list args;
  va_start(args, format);
  GError *error = g_error_new_valist(ANNALS_ERROR, (int)reason, format, args);
  va_end(args);
  return error;
}

bool annals_error_set(GError **error, enum annals_reason reason, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_propagate_error(error, g_error_new_valist(ANNALS_ERROR, (int)reason, format, args));
  va_end(args);
  return false;
}

void annals_error_add_metadata(GError *error, const char *key, const char *format, ...) {
  va_list args;
  va_start(args, format);
  GPtrArray *metadata = annals_error_get_private(error)->metadata;
  g_ptr_array_add(metadata, g_strdup(key));
  g_ptr_array_add(metadata, g_strdup_vprintf(format, args));
  va_end(args);
}

void annals_error_add_violation(GError *error, const char *field, const char *value,
                                const char *constraint) {
  add_violation(annals_error_get_private(error), field, value, constraint);
}

void annals_error_set_retry_ms(GError *error, int retry_ms) {
  annals_error_get_private(error)->retry_ms = retry_ms;
}

int annals_error_retry_ms(const GError *error) {
  int retry_ms = annals_error_get_private(error)->retry_ms;
  return retry_ms != 0 ? retry_ms : annals_reason_info(annals_error_reason(error))->retry_ms;
}

void annals_error_set_detail(GError *error, const char *detail) {
  AnnalsErrorPrivate *private = annals_error_get_private(error);
  g_free(private->detail);
  private->detail = g_strdup(detail);
}

const char *annals_error_detail(const GError *error) {
  const char *detail = annals_error_get_private(error)->detail;
  return detail != NULL && *detail != '\0' ? detail : error->message;
}

const char *annals_error_log_detail(const GError *error) {
  if (error->domain != ANNALS_ERROR) {
    return NULL;
  }
  const char *detail = annals_error_detail(error);
  bool is_own = annals_reason_info(annals_error_reason(error))->http_status >= 500;
  return is_own || detail != error->message ? detail : NULL;
}

enum annals_reason annals_error_reason(const GError *error) {
  return error->domain == ANNALS_ERROR ? (enum annals_reason)error->code : ANNALS_REASON_INTERNAL;
}

const GPtrArray *annals_error_metadata(const GError *error) {
  return annals_error_get_private(error)->metadata;
}

const char *annals_error_metadata_value(const GError *error, const char *key) {
  const GPtrArray *metadata = annals_error_metadata(error);
  for (guint i = 0; i + 1 < metadata->len; i += 2) {
    if (strcmp(metadata->pdata[i], key) == 0) {
      return metadata->pdata[i + 1];
    }
  }
  return NULL;
}

const GPtrArray *annals_error_violations(const GError *error) {
  return annals_error_get_private(error)->violations;
}
