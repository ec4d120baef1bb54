#include "client/call.h"
#include "client/error.h"
#include "client/exchange.h"
#include "client/stream.h"

static const int64_t SILENCE_US = 90 * G_USEC_PER_SEC;

/* Not repeatable: it may be under way, or done. */
static const struct annals_client_method create_backup = {
    .path = "/annals.v1.AdminService/CreateBackup",
};

bool annals_client_create_backup(struct annals_client *client,
                                 const struct annals_client_backup_request *request,
                                 Annals__V1__CreateBackupResponse **ret_backup, GError **error) {
  Annals__V1__CreateBackupRequest message = ANNALS__V1__CREATE_BACKUP_REQUEST__INIT;
  message.directory = annals_client_text(request->directory);
  message.keep = request->keep;
  struct annals_buffer response;
  annals_buffer_init(&response, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  bool ok = annals_client_exchange(client, &create_backup, &message.base, &response, error);
  if (ok) {
    Annals__V1__CreateBackupResponse *backup =
        annals__v1__create_backup_response__unpack(NULL, response.len, response.data);
    ok = backup != NULL;
    if (ok) {
      *ret_backup = backup;
    } else {
      annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                              "the server's answer is not a CreateBackupResponse");
    }
  }
  annals_buffer_clear(&response);
  return ok;
}

void annals_client_backup_free(Annals__V1__CreateBackupResponse *backup) {
  annals__v1__create_backup_response__free_unpacked(backup, NULL);
}

/* ---- data keys ----------------------------------------------------------------------------- */

static const struct annals_client_method rewrap_data_keys = {
    .path = "/annals.v1.AdminService/RewrapDataKeys",
};

static const struct annals_client_method destroy_data_keys = {
    .path = "/annals.v1.AdminService/DestroyDataKeys",
};

/* Both have requests and responses of the same fields. */
static bool change_data_keys(struct annals_client *client,
                             const struct annals_client_method *method, const char *execution_arn,
                             int64_t *ret_count, GError **error) {
  Annals__V1__RewrapDataKeysRequest message = ANNALS__V1__REWRAP_DATA_KEYS_REQUEST__INIT;
  message.execution_arn = annals_client_text(execution_arn);
  struct annals_buffer response;
  annals_buffer_init(&response, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  bool ok = annals_client_exchange(client, method, &message.base, &response, error);
  if (ok) {
    Annals__V1__RewrapDataKeysResponse *changed =
        annals__v1__rewrap_data_keys_response__unpack(NULL, response.len, response.data);
    ok = changed != NULL;
    if (ok) {
      *ret_count = changed->data_key_count;
    } else {
      annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                              "the server's answer does not tell of data keys");
    }
    annals__v1__rewrap_data_keys_response__free_unpacked(changed, NULL);
  }
  annals_buffer_clear(&response);
  return ok;
}

bool annals_client_rewrap_data_keys(struct annals_client *client, const char *execution_arn,
                                    int64_t *ret_count, GError **error) {
  return change_data_keys(client, &rewrap_data_keys, execution_arn, ret_count, error);
}

bool annals_client_destroy_data_keys(struct annals_client *client, const char *execution_arn,
                                     int64_t *ret_count, GError **error) {
  return change_data_keys(client, &destroy_data_keys, execution_arn, ret_count, error);
}

/* ---- VerifyStore --------------------------------------------------------------------------- */

static bool fail_with(GError **error, int code, const char *text) {
  annals_client_error_set(error, code, "", "%s", text);
  return false;
}

/* Hands a message over. Returns whether another one is wanted; not on failure. */
static bool take_response(const struct annals_client_verify_request *request,
                          const struct annals_buffer *message, GError **error) {
  Annals__V1__VerifyStoreResponse *response =
      annals__v1__verify_store_response__unpack(NULL, message->len, message->data);
  if (response == NULL) {
    return fail_with(error, ANNALS_CLIENT_INTERNAL,
                     "the server's answer is not a VerifyStoreResponse");
  }
  bool go_on = request->on_response(request, response);
  annals__v1__verify_store_response__free_unpacked(response, NULL);
  return go_on;
}

/* Waits for the next message. Returns whether to go on. */
static bool receive(struct annals_client_stream *stream,
                    const struct annals_client_verify_request *request,
                    struct annals_buffer *message, GError **error) {
  annals_buffer_reset(message);
  switch (
      annals_client_stream_receive(stream, g_get_monotonic_time() + SILENCE_US, message, error)) {
    case ANNALS_CLIENT_STREAM_MESSAGE:
      return take_response(request, message, error);
    case ANNALS_CLIENT_STREAM_SENT: /* nothing is, behind the request */
      g_assert_not_reached();
    case ANNALS_CLIENT_STREAM_TIMEOUT:
      return fail_with(error, ANNALS_CLIENT_UNAVAILABLE,
                       "the server has not said anything for too long");
    case ANNALS_CLIENT_STREAM_END:
      break;
  }
  return false;
}

bool annals_client_verify_store(struct annals_client *client,
                                const struct annals_client_verify_request *request,
                                GError **error) {
  Annals__V1__VerifyStoreRequest message = ANNALS__V1__VERIFY_STORE_REQUEST__INIT;
  message.max_bytes_per_second = request->max_bytes_per_second;
  struct annals_buffer buffer;
  if (!annals_client_pack(&message.base, &buffer, error)) {
    return false;
  }
  struct annals_client_stream *stream =
      annals_client_stream_new(client, "/annals.v1.AdminService/VerifyStore", &buffer, error);
  if (stream == NULL) {
    return false;
  }
  GError *why = NULL;
  annals_buffer_init(&buffer, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  while (receive(stream, request, &buffer, &why)) {
  }
  annals_buffer_clear(&buffer);
  annals_client_stream_free(stream);
  if (why != NULL) {
    g_propagate_error(error, why);
    return false;
  }
  return true;
}
