/*
 * What the options give to the process: memory, shared out from one number, and how the store uses
 * disk and processors.
 *
 * Floor 4.
 */
#ifndef ANNALS_SERVER_RESOURCES_H_
#define ANNALS_SERVER_RESOURCES_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/options.h"
#include "storage/rocksdb/rocksdb_store.h"

G_BEGIN_DECLS

struct annals_resources {
  struct annals_rocksdb_tuning store;
  int store_threads;          /* that read what is not in memory */
  unsigned transport_threads; /* of gRPC, and of the gateway: the processors that this may run on */
  size_t held_bytes_max;      /* requests and answers of gRPC under way */
  size_t admitted_bytes_max;  /* of those, appends that are taken off the network at once */
  size_t core_bytes_max;      /* of gRPC's core: messages that are not complete, connections */
  size_t reply_bytes_max;     /* answers of the gateway under way */
};

/*
 * Reads the options of the store, and shares out the memory budget.
 *
 * Errors: G_OPTION_ERROR, one line that names the option.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_resources_read(const struct annals_options *options,
                           struct annals_resources *ret_resources, GError **error);

G_END_DECLS

#endif
