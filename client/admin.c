#include "client/call.h"
#include "client/error.h"
#include "client/exchange.h"

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
