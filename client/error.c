#include "client/error.h"

#include <stdarg.h>
#include <string.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/grpc_code.h"

typedef struct {
  char *reason;         /* never NULL */
  GHashTable *metadata; /* name -> value; NULL: none */
  bool has_retry_info;
  int64_t retry_delay_ms;
} AnnalsClientErrorPrivate;

static void annals_client_error_private_init(AnnalsClientErrorPrivate *priv) {
  priv->reason = g_strdup("");
}

static void annals_client_error_private_copy(const AnnalsClientErrorPrivate *from,
                                             AnnalsClientErrorPrivate *to) {
  g_free(to->reason);
  *to = *from;
  to->reason = g_strdup(from->reason);
  to->metadata = from->metadata != NULL ? g_hash_table_ref(from->metadata) : NULL;
}

static void annals_client_error_private_clear(AnnalsClientErrorPrivate *priv) {
  g_free(priv->reason);
  g_clear_pointer(&priv->metadata, g_hash_table_unref);
}

/* GLib aligns what the macro casts to; clang cannot see that. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align"
G_DEFINE_EXTENDED_ERROR(AnnalsClientError, annals_client_error)

/* Before there are threads: the first use is not safe on two of them. */
__attribute__((constructor)) static void register_domain(void) {
  (void)annals_client_error_quark();
}
#pragma GCC diagnostic pop

const char *annals_client_code_name(int code) {
  return annals_grpc_code_name(code);
}

static const AnnalsClientErrorPrivate *private_of(const GError *error) {
  return error != NULL && error->domain == ANNALS_CLIENT_ERROR
             ? annals_client_error_get_private(error)
             : NULL;
}

const char *annals_client_error_reason(const GError *error) {
  const AnnalsClientErrorPrivate *priv = private_of(error);
  return priv != NULL ? priv->reason : "";
}

const char *annals_client_error_metadata(const GError *error, const char *name) {
  const AnnalsClientErrorPrivate *priv = private_of(error);
  return priv != NULL && priv->metadata != NULL ? g_hash_table_lookup(priv->metadata, name) : NULL;
}

bool annals_client_error_is_retriable(const GError *error, int64_t *ret_delay_ms) {
  const AnnalsClientErrorPrivate *priv = private_of(error);
  if (priv == NULL || (!priv->has_retry_info && error->code != ANNALS_CLIENT_UNAVAILABLE)) {
    return false;
  }
  *ret_delay_ms = priv->retry_delay_ms;
  return true;
}

void annals_client_error_set(GError **error, enum annals_client_code code, const char *reason,
                             const char *format, ...) {
  if (error == NULL) {
    return;
  }
  va_list args;
  va_start(args, format);
  *error = g_error_new_valist(ANNALS_CLIENT_ERROR, code, format, args);
  va_end(args);
  AnnalsClientErrorPrivate *priv = annals_client_error_get_private(*error);
  g_free(priv->reason);
  priv->reason = g_strdup(reason);
}

/* Unpacks an Any if it holds a message of that type. */
static ProtobufCMessage *any_unpack(const Google__Protobuf__Any *any,
                                    const ProtobufCMessageDescriptor *descriptor) {
  const char *slash = strrchr(any->type_url, '/');
  const char *name = slash != NULL ? slash + 1 : any->type_url;
  if (strcmp(name, descriptor->name) != 0) {
    return NULL;
  }
  return protobuf_c_message_unpack(descriptor, NULL, any->value.len, any->value.data);
}

static void take_error_info(AnnalsClientErrorPrivate *priv, const Google__Protobuf__Any *any) {
  ProtobufCMessage *message = any_unpack(any, &google__rpc__error_info__descriptor);
  if (message == NULL) {
    return;
  }
  const Google__Rpc__ErrorInfo *info = (const Google__Rpc__ErrorInfo *)message;
  g_free(priv->reason);
  priv->reason = g_utf8_make_valid(info->reason, -1);
  g_clear_pointer(&priv->metadata, g_hash_table_unref);
  priv->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  for (size_t i = 0; i < info->n_metadata; i++) {
    g_hash_table_replace(priv->metadata, g_utf8_make_valid(info->metadata[i]->key, -1),
                         g_utf8_make_valid(info->metadata[i]->value, -1));
  }
  protobuf_c_message_free_unpacked(message, NULL);
}

/* A server may ask for anything; what is waited for stays within an hour. */
static void take_retry_info(AnnalsClientErrorPrivate *priv, const Google__Protobuf__Any *any) {
  enum { SECONDS_MAX = 3600 };
  ProtobufCMessage *message = any_unpack(any, &google__rpc__retry_info__descriptor);
  if (message == NULL) {
    return;
  }
  const Google__Rpc__RetryInfo *info = (const Google__Rpc__RetryInfo *)message;
  priv->has_retry_info = true;
  if (info->retry_delay != NULL) {
    int64_t seconds = CLAMP(info->retry_delay->seconds, 0, SECONDS_MAX);
    priv->retry_delay_ms = seconds * 1000 + MAX(info->retry_delay->nanos, 0) / 1000000;
  }
  protobuf_c_message_free_unpacked(message, NULL);
}

void annals_client_error_set_status(GError **error, int code, const char *message,
                                    const uint8_t *details, size_t size) {
  if (error == NULL) {
    return;
  }
  g_autofree char *text = g_utf8_make_valid(message, -1);
  *error = g_error_new_literal(ANNALS_CLIENT_ERROR, code, text);
  Google__Rpc__Status *status = size > 0 ? google__rpc__status__unpack(NULL, size, details) : NULL;
  if (status == NULL) {
    return;
  }
  AnnalsClientErrorPrivate *priv = annals_client_error_get_private(*error);
  for (size_t i = 0; i < status->n_details; i++) {
    take_error_info(priv, status->details[i]);
    take_retry_info(priv, status->details[i]);
  }
  google__rpc__status__free_unpacked(status, NULL);
}
