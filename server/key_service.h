/*
 * Where this server has data keys from: AWS KMS, a key file, or both, as the options say.
 *
 * Floor 4. Threads: that which starts the server.
 */
#ifndef ANNALS_SERVER_KEY_SERVICE_H_
#define ANNALS_SERVER_KEY_SERVICE_H_

#include <glib.h>
#include <stdbool.h>

#include "server/kms/data_keys.h"
#include "server/ops/metrics.h"
#include "server/options.h"
#include "server/reload.h"

G_BEGIN_DECLS

struct annals_key_service;

/*
 * Reads the options and the key file, which is read again when it changes. AWS KMS is not asked
 * yet.
 *
 * reload, metrics: must outlive the service.
 * Errors: one line that names the option or the file.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_key_service *annals_key_service_new(const struct annals_options *options,
                                                  struct annals_reload *reload,
                                                  struct annals_metrics *metrics, GError **error);

/* NULL is fine. */
void annals_key_service_free(struct annals_key_service *service);

/* Gives the data keys; NULL: none are to be had. */
struct annals_data_keys *annals_key_service_data_keys(const struct annals_key_service *service);

G_END_DECLS

#endif
