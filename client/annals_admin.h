/*
 * What operators ask of a server: AdminService. Part of annals.h, which includes it; what that
 * header says of threads, errors and memory holds here.
 */
#ifndef ANNALS_CLIENT_ANNALS_ADMIN_H_
#define ANNALS_CLIENT_ANNALS_ADMIN_H_

#include <glib.h>
#include <stdbool.h>

#include "annals/v1/admin_service.pb-c.h"

G_BEGIN_DECLS

struct annals_client;

struct annals_client_backup_request {
  const char *directory; /* of the server's machine, below its --backup-dir */
  int32_t keep;          /* how many backups stay, the new one among them; 0: all */
};

/*
 * Has the server make a backup, and waits for it: give the client a timeout that is long enough.
 *
 * Memory: the caller frees *ret_backup with annals_client_backup_free().
 * Errors: INVALID_REQUEST, BACKUPS_DISABLED, ALREADY_RUNNING, NO_SPACE, BACKUP_FAILED, UNSUPPORTED,
 *   PERMISSION_DENIED, OVERLOADED, DRAINING, INTERNAL. It is not repeated when it fails. After a
 *   deadline or a broken connection the server goes on with it all the same.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_create_backup(struct annals_client *client,
                                 const struct annals_client_backup_request *request,
                                 Annals__V1__CreateBackupResponse **ret_backup, GError **error);

void annals_client_backup_free(Annals__V1__CreateBackupResponse *backup);

/*
 * Have the server wrap the data keys of an execution anew, or destroy them, and what they encrypt
 * with them. *ret_count is how many there were.
 *
 * Errors: INVALID_ARN, INVALID_REQUEST (it is not encrypted), EXECUTION_DOES_NOT_EXIST,
 *   ALREADY_RUNNING, those of the key service, NO_SPACE, WRITES_STOPPED, PERMISSION_DENIED,
 *   OVERLOADED, DRAINING, INTERNAL. It is not repeated when it fails.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_rewrap_data_keys(struct annals_client *client, const char *execution_arn,
                                    int64_t *ret_count, GError **error);
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_destroy_data_keys(struct annals_client *client, const char *execution_arn,
                                     int64_t *ret_count, GError **error);

struct annals_client_verify_request {
  int64_t max_bytes_per_second; /* that are read at most; 0: as the server thinks best */

  /* Takes what was found since the last time, and how far it is: a view. Returns whether to go on.
   */
  bool (*on_response)(const struct annals_client_verify_request *request,
                      const Annals__V1__VerifyStoreResponse *response);
  void *owner; /* the caller's own */
};

/*
 * Has the server check its store, and waits until it has, or on_response had enough. True also
 * where there are faults.
 *
 * Errors: ALREADY_RUNNING, UNSUPPORTED, PERMISSION_DENIED, OVERLOADED, DRAINING, INTERNAL;
 *   UNAVAILABLE when the server is silent for 90 seconds. It is not repeated when it fails.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_verify_store(struct annals_client *client,
                                const struct annals_client_verify_request *request, GError **error);

G_END_DECLS

#endif
